/**
 * The link adapter against a bare data channel: two ends in one page, 64 KiB messages, the same marks.
 *
 * Needs bindings of `pleach-browser` built with the feature `testing`; PLEACH_TESTING_PKG names their folder.
 */

import assert from 'node:assert/strict';

import { scenario } from './harness/index.mjs';

const folder = process.env.PLEACH_TESTING_PKG;
const loop = { messages: 400, messageBytes: 64 * 1024, highWaterBytes: 256 * 1024 };
const ROUNDS = 5;

const needsBindings = folder === undefined && 'PLEACH_TESTING_PKG is not set';

scenario('a link carries what a bare channel does', { skip: needsBindings, timeoutMs: 240_000 }, async (lab, t) => {
  const page = await openPage(lab);
  const bare = [];
  const link = [];
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(await page.evaluate(bareLoop, loop));
    link.push(await page.evaluate(({ messages, messageBytes }) => linkLoop(messages, messageBytes), loop));
  }
  const ratio = median(bare) / median(link);
  t.diagnostic(`bare ${speed(bare)} MB/s, link ${speed(link)} MB/s, ratio ${ratio.toFixed(2)}`);
  assert.ok(bare.length === ROUNDS && link.every((took) => took > 0), 'every message of every round arrived');
});

async function openPage(lab) {
  const server = await lab.serve(folder);
  const browser = await lab.chromium();
  // Any page of the server will do.
  const page = await browser.open(`${server.url}/pleach_browser.js`);
  await page.evaluate(async () => {
    const engine = await import('/pleach_browser.js');
    await engine.default({ module_or_path: '/pleach_browser_bg.wasm' });
    globalThis.linkLoop = engine.linkLoop;
  });
  return page;
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

function speed(tookMs) {
  return ((loop.messages * loop.messageBytes) / 1e3 / median(tookMs)).toFixed(1);
}

/** Runs in the page: the milliseconds for so many messages from one bare channel to another. */
async function bareLoop({ messages, messageBytes, highWaterBytes }) {
  const ends = [new RTCPeerConnection(), new RTCPeerConnection()];
  const [sender, receiver] = ends.map((end) => end.createDataChannel('bare', { negotiated: true, id: 0 }));
  ends.forEach((end, i) => (end.onicecandidate = ({ candidate }) => ends[1 - i].addIceCandidate(candidate)));
  sender.bufferedAmountLowThreshold = highWaterBytes / 2;
  receiver.binaryType = 'arraybuffer';
  const done = new Promise((resolve) => {
    let toSend = messages;
    let toReceive = messages;
    let began;
    const message = new Uint8Array(messageBytes).fill(7);
    const send = () => {
      while (toSend > 0 && sender.bufferedAmount + messageBytes <= highWaterBytes) {
        sender.send(message);
        toSend--;
      }
    };
    sender.onbufferedamountlow = send;
    sender.onopen = () => {
      began = performance.now();
      send();
    };
    receiver.onmessage = () => {
      if (--toReceive === 0) resolve(performance.now() - began);
    };
  });
  await ends[0].setLocalDescription();
  await ends[1].setRemoteDescription(ends[0].localDescription);
  await ends[1].setLocalDescription();
  await ends[0].setRemoteDescription(ends[1].localDescription);
  const tookMs = await done;
  ends.forEach((end) => end.close());
  return tookMs;
}
