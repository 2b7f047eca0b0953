// The plain web server as a source: pages of one site get a file of another, with peers and without.
//
// Each server counts what it sends; nobody else tells it how much that should be.

import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { pleachBinary, scenario, secondShown, sha256, startTracker, until, webDist, writeVideo } from './harness/index.mjs';

const MIB = 1 << 20;
const PAGE = `<!doctype html><meta charset="utf-8"><title>A site</title>
<script type="module" src="pleach.js"></script>
<script type="module">
  const element = document.createElement('pleach-download');
  element.setAttribute('autostart', '');
  element.setAttribute('src', location.hash.slice(1));
  document.body.append(element);
</script>`;

/** A file with its description on a plain web server, and another server with a page that shows it. */
async function site(lab, { size = 16 * MIB, from, publish = [], ...options } = {}) {
  const folder = path.join(await lab.folder(), 'files');
  await mkdir(folder);
  const original = from ?? (await lab.sample('film.bin', size));
  const name = path.basename(original);
  const file = path.join(folder, name);
  await rename(original, file);
  const described = await lab.start('publish', pleachBinary(), ['publish', file, ...publish]).ended;
  assert.equal(described.code, 0);
  const server = await lab.serve(folder, options);
  return { file, size, server, src: `${server.url}/${name}.pleach`, sent: () => server.bytesOf(`/${name}`) };
}

function chromium(lab) {
  return lab.chromium({ acceptDownloads: true });
}

/** A page of another site, each of a site of its own: none finds what another has stored. */
async function openPage(lab, src, { browser } = {}) {
  const folder = await mkdtemp(path.join(await lab.folder(), 'site-'));
  await cp(webDist, folder, { recursive: true });
  await writeFile(path.join(folder, 'film.html'), PAGE);
  const server = await lab.serve(folder);
  browser ??= await chromium(lab);
  await browser.context.addInitScript(() => Object.defineProperty(globalThis, 'showSaveFilePicker', { value: undefined }));
  return browser.open(`${server.url}/film.html#${src}`);
}

const element = (page, read) => page.evaluate(`(${read})(document.querySelector('pleach-download'))`);
const state = (page) => element(page, (it) => it?.state);
const progress = (page) => element(page, (it) => it?.progress ?? 0);

/** Waits until all is there, and compares what is saved. */
async function completeAndSave(page, lab, file) {
  await until('the page has everything', async () => (await state(page)) === 'complete', { timeoutMs: 90_000 });
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: /^save/i }).click()]);
  const saved = path.join(await lab.folder(), 'saved');
  await download.saveAs(saved);
  assert.equal(await sha256(saved), await sha256(file));
}

function seedPublished(lab, file, address) {
  const args = ['seed', file, '--manifest', `${file}.pleach`, '--tracker', `http://${address}`, '-v'];
  return lab.start('seed', pleachBinary(), args).waitFor(/^http:\S+/);
}

// Row D7 of [003]: ids are digests, transport is HTTP, clients are browsers.
scenario('without a tracker and without peers a page gets it from the web server', { timeoutMs: 120_000 }, async (lab) => {
  const { file, size, src, sent, server } = await site(lab);
  const page = await openPage(lab, src);
  await completeAndSave(page, lab, file);
  assert.equal(sent(), size, 'every byte once');
  assert.ok(server.requests.every(({ method }) => method === 'GET'), 'and no question before it');
  await page.getByText(/^Web server 127\.0\.0\.1/).waitFor();
});

scenario('with the tracker down a page gets it from the web server', { timeoutMs: 120_000 }, async (lab) => {
  const { file, src } = await site(lab, { publish: ['--tracker', 'http://127.0.0.1:9'] });
  await completeAndSave(await openPage(lab, src), lab, file);
});

scenario('with a seeder the web server sends a small part', { timeoutMs: 120_000 }, async (lab, t) => {
  const { address } = await startTracker(lab);
  const { file, size, src, sent } = await site(lab, { size: 32 * MIB, publish: ['--tracker', `http://${address}`] });
  await seedPublished(lab, file, address);
  await completeAndSave(await openPage(lab, src), lab, file);
  t.diagnostic(`the web server sent ${((sent() / size) * 100).toFixed(1)} % of the file`);
  assert.ok(sent() < size * 0.1, `${sent()} of ${size} bytes`);
});

scenario('the web server goes down in the middle, and a peer brings the rest', { timeoutMs: 120_000 }, async (lab) => {
  const { address } = await startTracker(lab);
  const { file, size, server, src, sent } = await site(lab, { bytesPerS: 1_000_000, publish: ['--tracker', `http://${address}`] });
  const page = await openPage(lab, src);
  await until('some of it came', async () => (await progress(page)) > 0.1, { timeoutMs: 60_000 });
  await server.close();
  assert.ok((await progress(page)) < 1 && sent() < size, 'it is the middle');
  await seedPublished(lab, file, address);
  await completeAndSave(page, lab, file);
});

scenario('a web server that no other site may read is told of in words', { timeoutMs: 120_000 }, async (lab) => {
  const closed = await site(lab, { cors: false });
  const open = await lab.serve(path.dirname(closed.file));
  // The description can be read, the file cannot.
  const named = ['publish', closed.file, '--force', '--source', `${closed.server.url}/film.bin`];
  assert.equal((await lab.start('publish-again', pleachBinary(), named).ended).code, 0);
  const page = await openPage(lab, `${open.url}/film.bin.pleach`);
  await page.getByText(/does not allow other sites to read it/).waitFor({ timeout: 30_000 });
});

scenario('two pages share what the web server sends', { timeoutMs: 180_000 }, async (lab, t) => {
  const { address } = await startTracker(lab);
  const { file, size, src, sent } = await site(lab, { bytesPerS: 500_000, publish: ['--tracker', `http://${address}`] });
  const pages = [await openPage(lab, src), await openPage(lab, src)];
  assert.ok((await progress(pages[0])) < 1, 'both are at it');
  for (const page of pages) await completeAndSave(page, lab, file);
  t.diagnostic(`the web server sent ${((sent() / size) * 100).toFixed(1)} % of the file to two pages`);
  assert.ok(sent() < size * 1.6, `${sent()} bytes for two times ${size}`);
});

scenario('ten pages that open at once cost the web server little more than one copy', { timeoutMs: 240_000 }, async (lab, t) => {
  const { address } = await startTracker(lab);
  const { file, size, src, sent } = await site(lab, { bytesPerS: 2_000_000, publish: ['--tracker', `http://${address}`] });
  const browser = await chromium(lab);
  const pages = await Promise.all(Array.from({ length: 10 }, () => openPage(lab, src, { browser })));
  for (const page of pages) {
    await until('the page has everything', async () => (await state(page)) === 'complete', { timeoutMs: 180_000 });
  }
  await completeAndSave(pages[7], lab, file);
  t.diagnostic(`the web server sent ${(sent() / size).toFixed(2)} copies to ten pages`);
  assert.ok(sent() < size * 1.5, `${sent()} bytes for ten times ${size}`);
});

scenario('a video whose index is at its end plays while it comes from the web server', { timeoutMs: 180_000 }, async (lab, t) => {
  const from = await writeVideo(lab, 'end.mp4', { seconds: 60, bytesPerS: 150_000 });
  const { src } = await site(lab, { from, bytesPerS: 250_000 });
  const page = await openPage(lab, src);
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  const inVideo = (read) => page.evaluate(`(${read})(document.querySelector('pleach-download').shadowRoot.querySelector('video'))`);
  await until('the video plays', () => inVideo((video) => video && !video.paused && video.currentTime > 0.3), { timeoutMs: 60_000 });
  const share = await progress(page);
  assert.ok(share < 0.9, `it began before all was there: ${share}`);
  const at = await inVideo((video) => video.currentTime);
  assert.ok(Math.abs((await inVideo(secondShown)) - at) <= 1.5, 'the frame that it says');
  t.diagnostic(`played with ${(share * 100).toFixed(0)} % there`);
});
