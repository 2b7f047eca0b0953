// What a site's owner says of web servers at the elements (`source`, `source-limit`), servers that misbehave towards a page, and
// pages of browsers without WebRTC.
//
// The servers' logs tell what was sent; nobody else is asked.

import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { pleachBinary, scenario, seed, sha256, share, startTracker, until, webDist } from './harness/index.mjs';

const MIB = 1 << 20;

/** A file and what `publish` writes, in a folder of its own. */
async function published(lab, { size = 8 * MIB, publish = [] } = {}) {
  const folder = await mkdtemp(path.join(await lab.folder(), 'files-'));
  const file = path.join(folder, 'film.bin');
  await cp(await lab.sample('film.bin', size), file);
  const { code } = await lab.start('publish', pleachBinary(), ['publish', file, ...publish]).ended;
  assert.equal(code, 0);
  return { folder, file, size };
}

/** A page of a site with one element, whose attributes are given; `init` runs in it before anything else. */
async function openPage(lab, { element = 'pleach-download', init = () => {}, ...attributes }) {
  const folder = path.join(await lab.folder(), 'site');
  await mkdir(folder);
  await cp(webDist, folder, { recursive: true });
  const given = Object.entries({ autostart: '', ...attributes }).map(([name, value]) => `${name}="${value}"`);
  const page = `<!doctype html><meta charset="utf-8"><title>A site</title>
<script type="module" src="pleach.js"></script><${element} ${given.join(' ')}></${element}>`;
  await writeFile(path.join(folder, 'film.html'), page);
  const server = await lab.serve(folder);
  const browser = await lab.chromium({ acceptDownloads: true });
  await browser.context.addInitScript(() => Object.defineProperty(globalThis, 'showSaveFilePicker', { value: undefined }));
  await browser.context.addInitScript(init);
  return browser.open(`${server.url}/film.html`);
}

const isComplete = (page) => page.evaluate(() => document.querySelector('pleach-download').state === 'complete');

async function completeAndSave(page, lab, file) {
  await until('the page has everything', () => isComplete(page), { timeoutMs: 90_000 });
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: /^save/i }).click()]);
  const saved = path.join(await lab.folder(), 'saved');
  await download.saveAs(saved);
  assert.equal(await sha256(saved), await sha256(file));
}

const sentOf = (server) => server.bytesOf('/film.bin');
const withoutWebRtc = () => delete window.RTCPeerConnection;

scenario('an element names the web server of a share link', { timeoutMs: 120_000 }, async (lab) => {
  const { file, folder, size } = await published(lab);
  const { address } = await startTracker(lab);
  const server = await lab.serve(folder);
  // The seeder leaves the description at the tracker, and goes.
  const { process, link } = await seed(lab, file, address, ['--manifest', `${file}.pleach`]);
  const page = await openPage(lab, { src: link, source: `${server.url}/film.bin`, autostart: '', upload: 'off' });
  await process.stop();
  await completeAndSave(page, lab, file);
  assert.ok(sentOf(server) > 0 && sentOf(server) <= size);
});

scenario('source-limit is what each web server gives in a second', { timeoutMs: 120_000 }, async (lab) => {
  const { file, folder, size } = await published(lab);
  const server = await lab.serve(folder);
  const rate = 2_000_000;
  const begin = performance.now();
  const page = await openPage(lab, { src: `${server.url}/film.bin.pleach`, 'source-limit': `${rate / 1000}kB` });
  await completeAndSave(page, lab, file);
  // A slow machine makes it longer, nothing makes it shorter: the bucket begins empty.
  const least = (size / rate) * 1_000;
  assert.ok(performance.now() - begin >= least, `${size} bytes take ${least} ms at least`);
  assert.equal(sentOf(server), size, 'every byte once');
});

scenario('with source-limit="0" the server sends nothing, and peers bring all', { timeoutMs: 120_000 }, async (lab) => {
  const { file, folder } = await published(lab);
  const server = await lab.serve(folder);
  const { link } = await share(lab, file);
  const page = await openPage(lab, { src: link, source: `${server.url}/film.bin`, 'source-limit': '0' });
  await completeAndSave(page, lab, file);
  assert.equal(sentOf(server), 0);
});

scenario('a web server that drips does not hold a page up', { timeoutMs: 120_000 }, async (lab) => {
  const { file, folder } = await published(lab);
  let asked = 0;
  const server = await lab.serve(folder, { spoil: ({ path }) => (path === '/film.bin' && asked++ === 1 ? 'drip' : undefined) });
  const page = await openPage(lab, { src: `${server.url}/film.bin.pleach` });
  await completeAndSave(page, lab, file);
  assert.ok(asked > 2, 'it was asked again');
});

scenario('of three web servers one dies and one lies, and the third brings the rest', { timeoutMs: 120_000 }, async (lab) => {
  const { file, folder, size } = await published(lab, { size: 24 * MIB });
  const isFilm = ({ path }) => path === '/film.bin';
  let asked = 0;
  const dying = await lab.serve(folder, { spoil: (request) => (isFilm(request) && asked++ >= 1 ? 'break' : undefined) });
  const lying = await lab.serve(folder, { spoil: (request) => (isFilm(request) ? 'lie' : undefined) });
  // Slow, so that the others are needed.
  const steady = await lab.serve(folder, { bytesPerS: 2_000_000 });
  const others = [dying, lying].map(({ url }) => `${url}/film.bin`).join(' ');
  const page = await openPage(lab, { src: `${steady.url}/film.bin.pleach`, source: others });
  await completeAndSave(page, lab, file);
  assert.ok(sentOf(dying) > 0 && asked > 1, 'the first was at it when it died');
  assert.ok(sentOf(lying) > 0 && sentOf(lying) < size / 2, 'the liar is not asked for long');
  assert.ok(sentOf(steady) > 0);
});

scenario('a page without WebRTC goes on from the web server, and says so', { timeoutMs: 120_000 }, async (lab) => {
  const { address } = await startTracker(lab);
  const { file, folder, size } = await published(lab, { size: 16 * MIB, publish: ['--tracker', `http://${address}`] });
  const server = await lab.serve(folder, { bytesPerS: 3_000_000 });
  const page = await openPage(lab, { src: `${server.url}/film.bin.pleach`, init: withoutWebRtc });
  await page.getByText('This browser can’t connect to others.', { exact: true }).waitFor();
  await page.getByText('Everything comes from the web server.').waitFor();
  await completeAndSave(page, lab, file);
  assert.equal(sentOf(server), size);
});

scenario('a page without WebRTC and without a web server says that it can’t connect', { timeoutMs: 120_000 }, async (lab) => {
  const { link } = await share(lab, await lab.sample('film.bin', MIB));
  const page = await openPage(lab, { src: link, init: withoutWebRtc });
  await page.getByText('This browser can’t connect to others.', { exact: true }).waitFor();
  await page.getByRole('article').getByText(/^WebRTC is missing .* and no web server has this\./).waitFor();
  assert.equal(await page.evaluate(() => document.querySelector('pleach-download').state), 'failed');
});

scenario('a page without WebRTC and without a web server has what was kept of an earlier visit', { timeoutMs: 180_000 }, async (lab) => {
  const file = await lab.sample('film.bin', 3 * MIB);
  const { link } = await share(lab, file);
  const profileFolder = path.join(await lab.folder(), 'profile');
  const before = await lab.chromium({ profileFolder });
  const first = await before.open(link);
  await until('the first visit has it', () => first.evaluate(() => document.querySelector('pleach-download')?.state === 'complete'), { timeoutMs: 60_000 });
  await before.close();
  const after = await lab.chromium({ profileFolder, acceptDownloads: true });
  await after.context.addInitScript(() => {
    delete window.RTCPeerConnection;
    Object.defineProperty(globalThis, 'showSaveFilePicker', { value: undefined });
  });
  const page = await after.open(link);
  await completeAndSave(page, lab, file);
  assert.equal(await page.getByText('Everything comes from the web server.').isVisible(), false);
});
