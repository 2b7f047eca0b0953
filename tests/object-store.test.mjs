// A store of objects (S3) as the origin: what `pleach publish` wrote is put there, pages and the command line take it from
// there by Range, from an address that everybody has or from a signed one.

import assert from 'node:assert/strict';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { pleachBinary, root, scenario, sha256, until, webDist } from './harness/index.mjs';
import { ObjectStore } from './harness/object-store.mjs';

const MIB = 1 << 20;
const SIZE = 16 * MIB;
const PAGE = `<!doctype html><meta charset="utf-8"><title>A site</title>
<script type="module" src="pleach.js"></script>
<pleach-download autostart src="SRC"></pleach-download>`;

/** The CORS rules that the documentation tells to set. */
async function documentedRules() {
  const page = await readFile(path.join(root, 'docs/origins.md'), 'utf8');
  const [, rules] = /```xml\n(<CORSConfiguration[^]*?)```/u.exec(page);
  return rules;
}

async function startStore(lab, options) {
  const store = await ObjectStore.start(path.join(await lab.folder(), 'objects'), options);
  lab.adopt(store);
  return store;
}

/** A file and its description, both made here; `publish` are further flags. */
async function described(lab, publish = []) {
  const file = await lab.sample('film.bin', SIZE);
  const { code } = await lab.start('publish', pleachBinary(), ['publish', file, ...publish]).ended;
  assert.equal(code, 0);
  return file;
}

/** A page of another site that shows what is at `src`; files named in `beside` are served with it. */
async function openPage(lab, src, beside = []) {
  const folder = path.join(await lab.folder(), 'site');
  await mkdir(folder);
  await cp(webDist, folder, { recursive: true });
  for (const file of beside) await cp(file, path.join(folder, path.basename(file)));
  await writeFile(path.join(folder, 'film.html'), PAGE.replace('SRC', src.replaceAll('&', '&amp;')));
  const server = await lab.serve(folder);
  const browser = await lab.chromium({ acceptDownloads: true });
  await browser.context.addInitScript(() => Object.defineProperty(globalThis, 'showSaveFilePicker', { value: undefined }));
  return browser.open(`${server.url}/film.html`);
}

async function completeAndSave(page, lab, file) {
  const state = () => page.evaluate(() => document.querySelector('pleach-download').state);
  await until('the page has everything', async () => (await state()) === 'complete', { timeoutMs: 90_000 });
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: /^save/i }).click()]);
  const saved = path.join(await lab.folder(), 'saved');
  await download.saveAs(saved);
  assert.equal(await sha256(saved), await sha256(file));
}

async function get(lab, args) {
  const out = path.join(await lab.folder(), 'out');
  const process = lab.start('get', pleachBinary(), ['get', ...args, '-o', out]);
  return { out, process, exit: await process.ended };
}

const ranges = (store) => store.requests.filter(({ key, method, range }) => key === 'film.bin' && method === 'GET' && range);

scenario('pleach get takes a file from an object store', async (lab) => {
  const file = await described(lab);
  const store = await startStore(lab);
  for (const suffix of ['', '.pleach', '.pleach-hashes']) await store.put(`${file}${suffix}`);
  const { out, exit } = await get(lab, [store.url('film.bin.pleach')]);
  assert.equal(exit.code, 0);
  assert.equal(await sha256(out), await sha256(file));
  assert.equal(store.bytesOf('film.bin'), SIZE, 'every byte once');
  assert.ok(ranges(store).length > 1 && ranges(store).every(({ status }) => status === 206));
});

scenario('a page takes a file from an object store whose rules allow it', { timeoutMs: 120_000 }, async (lab) => {
  const file = await described(lab);
  const store = await startStore(lab, { cors: await documentedRules() });
  for (const suffix of ['', '.pleach', '.pleach-hashes']) await store.put(`${file}${suffix}`);
  await completeAndSave(await openPage(lab, store.url('film.bin.pleach')), lab, file);
  assert.equal(store.bytesOf('film.bin'), SIZE, 'every byte once');
  assert.ok(ranges(store).every(({ origin, status }) => origin && status === 206));
});

scenario('signed addresses are sources, for get and for a page', { timeoutMs: 120_000 }, async (lab) => {
  const store = await startStore(lab, { cors: await documentedRules() });
  // They are made before anything is there, as for a client that uploads later.
  const signed = ['--source', store.signedUrl('film.bin'), '--hashes', store.signedUrl('film.bin.pleach-hashes')];
  const file = await described(lab, signed);
  for (const suffix of ['', '.pleach-hashes']) await store.put(`${file}${suffix}`);

  const { out, exit } = await get(lab, [`${file}.pleach`]);
  assert.equal(exit.code, 0);
  assert.equal(await sha256(out), await sha256(file));
  assert.equal(store.bytesOf('film.bin'), SIZE);

  await completeAndSave(await openPage(lab, 'film.bin.pleach', [`${file}.pleach`]), lab, file);
  assert.equal(store.bytesOf('film.bin'), 2 * SIZE);
  assert.ok(ranges(store).every(({ isSigned }) => isSigned));
});

scenario('a signed address that has expired is told of in words', async (lab) => {
  const store = await startStore(lab);
  const expired = { at: new Date(Date.now() - 3_600_000), expiresS: 60 };
  const signed = ['--source', store.signedUrl('film.bin', expired), '--hashes', store.signedUrl('film.bin.pleach-hashes')];
  const file = await described(lab, signed);
  for (const suffix of ['', '.pleach-hashes']) await store.put(`${file}${suffix}`);
  const { process, exit } = await get(lab, [`${file}.pleach`, '--timeout', '2']);
  assert.equal(exit.code, 3);
  await process.waitFor(/does not give it to everybody \(403\)/);
});

scenario('without rules the page says that the object store does not allow it', { timeoutMs: 120_000 }, async (lab) => {
  const store = await startStore(lab);
  const file = await described(lab, ['--source', store.url('film.bin')]);
  for (const suffix of ['', '.pleach-hashes']) await store.put(`${file}${suffix}`);
  const page = await openPage(lab, 'film.bin.pleach', [`${file}.pleach`, `${file}.pleach-hashes`]);
  await page.getByText(/does not allow other sites to read it/).waitFor({ timeout: 30_000 });
});
