// A folder in a page: one file of it saved before the rest has come, all of it as a ZIP and into a folder of the person's
// own, every byte compared. Real tracker, real seeder, real pages.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

import { scenario, seedFolder, sha256, startTracker, until } from './harness/index.mjs';

const MIB = 1 << 20;
const options = { timeoutMs: 180_000 };

/** Files of a folder, with names that are hard to save. */
async function sampleFolder(lab) {
  const sizes = { 'big.bin': 20 * MIB, 'empty.txt': 0, 'deep/er/note one.txt': 70_001, 'deep/写真.jpg': 3 * MIB + 5, 'last.bin': 2 * MIB };
  return Promise.all(
    Object.entries(sizes).map(async ([name, size], at) => ({ path: name, file: await lab.sample(`part-${at}`, size, at + 1) })),
  );
}

/** A browser that saves by its downloads: nobody is there to answer a picker. */
async function openBrowser(lab) {
  const browser = await lab.chromium({ acceptDownloads: true });
  await browser.context.addInitScript(() => Object.defineProperty(globalThis, 'showSaveFilePicker', { value: undefined }));
  return browser;
}

const element = (page, read) => page.evaluate(`(${read})(document.querySelector('pleach-download'))`);

async function complete(page) {
  await until(
    'the page has everything',
    async () => {
      const state = await element(page, (it) => it.state);
      assert.notEqual(state, 'failed');
      return state === 'complete';
    },
    { timeoutMs: 90_000 },
  );
}

async function downloaded(page, lab, press) {
  const [download] = await Promise.all([page.waitForEvent('download', { timeout: 60_000 }), press()]);
  const file = path.join(await lab.folder(), `${Math.random().toString(36).slice(2)}.saved`);
  await download.saveAs(file);
  return { name: download.suggestedFilename(), file };
}

scenario('a file of a folder is saved before the rest has come', options, async (lab, t) => {
  const files = await sampleFolder(lab);
  const { address } = await startTracker(lab);
  const { link } = await seedFolder(lab, 'Garden', files, address, ['--upload-limit', '700kB']);
  const page = await (await openBrowser(lab)).open(link);
  await page.getByText('Garden').first().waitFor();
  const save = page.getByRole('button', { name: 'Save last.bin' });
  await save.waitFor();
  const { name, file } = await downloaded(page, lab, () => save.click());
  const progress = await element(page, (it) => it.progress);
  t.diagnostic(`saved when ${Math.round(progress * 100)} % of the folder was there`);
  assert.equal(name, 'last.bin');
  assert.equal(await sha256(file), await sha256(files[4].file));
  assert.ok(progress < 0.9, `the rest was still on its way: ${progress}`);
  await page.getByText('In your downloads').waitFor();
});

scenario('all of a folder as one ZIP', options, async (lab) => {
  const files = await sampleFolder(lab);
  const { address } = await startTracker(lab);
  const { link } = await seedFolder(lab, 'Garden', files, address);
  const page = await (await openBrowser(lab)).open(link);
  await complete(page);
  const { name, file } = await downloaded(page, lab, () => page.getByRole('button', { name: 'Save all as ZIP' }).click());
  assert.equal(name, 'Garden.zip');
  await compareUnpacked(lab, file, files);
});

scenario('a file is streamed to where the person chose while it comes', options, async (lab) => {
  const files = await sampleFolder(lab);
  const { address } = await startTracker(lab);
  const { link } = await seedFolder(lab, 'Garden', files, address, ['--upload-limit', '6MB']);
  const page = await (await lab.chromium()).open(link);
  await page.evaluate(async () => {
    const chosen = await navigator.storage.getDirectory();
    globalThis.showSaveFilePicker = ({ suggestedName }) => chosen.getFileHandle(suggestedName, { create: true });
  });
  await page.getByRole('button', { name: 'Save big.bin' }).click();
  const row = page.getByRole('listitem').filter({ hasText: 'big.bin' });
  await row.getByText(/^Saving, [1-9]/).waitFor();
  assert.equal((await digests(page, [], ['big.bin']))['big.bin'].size, 0, 'what was chosen is as it was until all is written');
  await row.getByText('Saved', { exact: true }).waitFor({ timeout: 60_000 });
  assert.equal((await digests(page, [], ['big.bin']))['big.bin'].digest, await sha256(files[0].file));
});

scenario('all of a folder into a new folder, beside one of the same name', options, async (lab) => {
  const files = await sampleFolder(lab);
  const { address } = await startTracker(lab);
  const { link } = await seedFolder(lab, 'Garden', files, address);
  const page = await (await openBrowser(lab)).open(link);
  // A folder of the origin private file system behaves as one that a person picks.
  await page.evaluate(async () => {
    const chosen = await (await navigator.storage.getDirectory()).getDirectoryHandle('chosen', { create: true });
    await chosen.getDirectoryHandle('Garden', { create: true });
    globalThis.showDirectoryPicker = async () => chosen;
  });
  await complete(page);
  await page.getByRole('button', { name: 'Save into a folder' }).click();
  await page.getByText('Saved into “Garden (2)”').first().waitFor({ timeout: 60_000 });
  const saved = await digests(page, ['chosen', 'Garden (2)'], files.map((each) => each.path));
  for (const each of files) assert.equal(saved[each.path].digest, await sha256(each.file), each.path);
});

scenario('what an earlier visit left of a folder is told file by file', options, async (lab) => {
  const files = await sampleFolder(lab);
  const { address } = await startTracker(lab);
  // So slow that the rest takes a minute, however slow the machine is with what comes first.
  const { link } = await seedFolder(lab, 'Garden', files, address, ['--upload-limit', '400kB']);
  const browser = await openBrowser(lab);
  const page = await browser.open(link);
  const first = await downloaded(page, lab, () => page.getByRole('button', { name: 'Save last.bin' }).click());
  assert.equal(await sha256(first.file), await sha256(files[4].file));
  await page.reload();
  const row = page.getByRole('listitem').filter({ hasText: 'last.bin' });
  await row.getByText('Here, verified').waitFor({ timeout: 30_000 });
  const again = await downloaded(page, lab, () => row.getByRole('button', { name: 'Save last.bin' }).click());
  assert.equal(await sha256(again.file), await sha256(files[4].file));
  assert.ok((await element(page, (it) => it.progress)) < 1, 'the rest is still on its way');
});

async function compareUnpacked(lab, zip, files) {
  const folder = path.join(await lab.folder(), 'unpacked');
  // Python has it everywhere; it checks each CRC on the way.
  await promisify(execFile)('python3', ['-m', 'zipfile', '-e', zip, folder]);
  for (const each of files) assert.equal(await sha256(path.join(folder, each.path)), await sha256(each.file), each.path);
}

/** Size and SHA-256 of files in a folder of the page's origin private file system. */
function digests(page, folder, paths) {
  return page.evaluate(
    async ({ folder, paths }) => {
      const found = {};
      for (const path of paths) {
        let place = await navigator.storage.getDirectory();
        const names = [...folder, ...path.split('/')];
        for (const name of names.slice(0, -1)) place = await place.getDirectoryHandle(name);
        const file = await (await place.getFileHandle(names.at(-1))).getFile();
        const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()));
        found[path] = { size: file.size, digest: [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('') };
      }
      return found;
    },
    { folder, paths },
  );
}
