// The harness itself: what all other scenarios stand on.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { scenario, sha256, until } from './harness/index.mjs';

scenario('a native process is waited for by its output and ends when asked', async (lab) => {
  const script = 'console.log("listening on 4242"); setInterval(() => {}, 1000)';
  const child = lab.start('child', process.execPath, ['-e', script]);
  const [, port] = await child.waitFor(/listening on (\d+)/);
  assert.equal(port, '4242');
  assert.deepEqual(await child.stop(), { code: null, signal: 'SIGINT' });
  await assert.rejects(child.waitFor(/never/), /ended without printing/);
});

scenario('a program that does not exist is told, not waited for', async (lab) => {
  const child = lab.start('child', '/no/such/program', []);
  await assert.rejects(child.waitFor(/anything/), /could not be started/);
});

scenario('a page reads a range of a sample file and digests it', async (lab) => {
  const size = (1 << 20) + 1;
  const file = await lab.sample('sample.bin', size);
  assert.equal(await sha256(file), await sha256(await lab.sample('again.bin', size)));
  const server = await serveEmptyPage(lab);
  const page = await (await lab.chromium()).open(server.url);
  const answers = await page.evaluate(async () => {
    const whole = await (await fetch('/sample.bin')).arrayBuffer();
    const part = await fetch('/sample.bin', { headers: { Range: 'bytes=5-14' } });
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', whole));
    const hex = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    return { hex, status: part.status, length: (await part.arrayBuffer()).byteLength };
  });
  assert.deepEqual(answers, { hex: await sha256(file), status: 206, length: 10 });
  const part = server.requests.find(({ range }) => range);
  assert.deepEqual(part, { method: 'GET', path: '/sample.bin', range: 'bytes=5-14', status: 206, bytes: 10 });
});

scenario('two pages of one Chromium connect by a data channel', async (lab) => {
  const server = await serveEmptyPage(lab);
  const browser = await lab.chromium();
  const [caller, callee] = [await browser.open(server.url), await browser.open(server.url)];
  await Promise.all([caller, callee].map((page) => page.evaluate(preparePage)));

  const offer = await caller.evaluate(() => window.describe('createOffer'));
  await callee.evaluate((offer) => window.connection.setRemoteDescription(offer), offer);
  const answer = await callee.evaluate(() => window.describe('createAnswer'));
  await caller.evaluate((answer) => window.connection.setRemoteDescription(answer), answer);

  const isOpen = () => caller.evaluate(() => window.channel.readyState === 'open');
  await until('the channel opens', isOpen);
  await caller.evaluate(() => window.channel.send('over the wire'));
  const received = await until('the message arrives', () => callee.evaluate(() => window.received[0]));
  assert.equal(received, 'over the wire');
});

async function serveEmptyPage(lab) {
  const folder = await lab.folder();
  await writeFile(path.join(folder, 'index.html'), '<!doctype html><title>empty</title>');
  return lab.serve(folder);
}

/** Runs in a page. The channel is negotiated, so that both sides do the same. */
function preparePage() {
  window.connection = new RTCPeerConnection();
  window.channel = window.connection.createDataChannel('smoke', { negotiated: true, id: 0 });
  window.received = [];
  window.channel.onmessage = ({ data }) => window.received.push(data);
  window.describe = async (how) => {
    const gathered = new Promise((resolve) => {
      window.connection.onicegatheringstatechange = () =>
        window.connection.iceGatheringState === 'complete' && resolve();
    });
    await window.connection.setLocalDescription(await window.connection[how]());
    await gathered;
    return window.connection.localDescription.toJSON();
  };
}
