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
/** The adapter copies each message, where the bare channel throws it away; below is the noise of a busy machine. */
const RATIO_MIN = 0.75;

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
  assert.ok(ratio >= RATIO_MIN, `the adapter carries only ${ratio.toFixed(2)} of a bare channel`);
});

const measuresMarks = process.env.PLEACH_MARKS === undefined && 'a measurement: set PLEACH_MARKS';

scenario('what a larger buffer would gain', { skip: needsBindings || measuresMarks, timeoutMs: 600_000 }, async (lab, t) => {
  const page = await openPage(lab);
  const marks = [128, 256, 512, 1024, 4096].map((kib) => ({ kib, took: [] }));
  for (let round = 0; round < ROUNDS; round++) {
    for (const { kib, took } of marks) {
      took.push(await page.evaluate(bareLoop, { ...loop, highWaterBytes: kib * 1024 }));
    }
  }
  for (const { kib, took } of marks) t.diagnostic(`high water ${kib} KiB: ${speed(took)} MB/s`);
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
