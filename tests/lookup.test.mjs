// Pages that look each other up ([003], docs/lookup.md) once the tracker is gone for good: real tracker, seeder, pages.

import assert from 'node:assert/strict';
import path from 'node:path';

import { scenario, seed, sha256, startTracker, until } from './harness/index.mjs';

const MIB = 1 << 20;

/** A link, opened in a browser of its own that saves by its downloads. */
async function open(lab, link) {
  const browser = await lab.chromium({ acceptDownloads: true });
  await browser.context.addInitScript(() => Object.defineProperty(globalThis, 'showSaveFilePicker', { value: undefined }));
  return { browser, page: await browser.open(link) };
}

const read = (page, read) => page.evaluate(`(${read})(document.querySelector('pleach-download'))`);
const progress = (page) => read(page, (it) => it.progress);
const agents = (page) => read(page, (it) => it.peers.map(({ agent }) => agent));
const isSeeder = (agent) => agent.startsWith('pleach');

async function save(page, file) {
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: /^save/i }).click()]);
  await download.saveAs(file);
  return sha256(file);
}

scenario('D2: with the tracker gone and its feeder dead, a page finishes from a holder that it looked up', { timeoutMs: 240_000 }, async (lab, t) => {
  const file = await lab.sample('lookup.bin', 24 * MIB);
  // One tree, in which the seeder has one child, in an order that stays: a chain, in which nobody knows more than it must.
  const args = ['--stripes', '1', '--laterals', '0', '--epoch-ms', '600000'];
  const { process: tracker, address } = await startTracker(lab, { args });
  const { process: seeder, link } = await seed(lab, file, address, ['--slots', '1', '--upload-limit', '1MB']);
  const first = await open(lab, link);
  await until('the first page receives', async () => (await progress(first.page)) > 0);
  const second = await open(lab, link);
  await until('the second page receives', async () => (await progress(second.page)) > 0, { timeoutMs: 60_000 });
  const before = await agents(second.page);
  assert.equal(before.length, 1, `it knows its feeder: ${before}`);
  assert.ok(!before.some(isSeeder), `which is the first page: ${before}`);

  await tracker.stop({ signal: 'SIGKILL' });
  await until('it is linked with the seeder, of whom the first page told', async () => (await agents(second.page)).some(isSeeder), { timeoutMs: 60_000 });
  const found = await progress(second.page);
  assert.ok(found < 1, 'something is left to get');
  await first.browser.close();
  t.diagnostic(`had ${(found * 100).toFixed(0)} % when its feeder went`);
  await until('it has everything', async () => (await read(second.page, (it) => it.state)) === 'complete', { timeoutMs: 120_000 });
  assert.equal(await save(second.page, path.join(await lab.folder(), 'saved.bin')), await sha256(file));
  assert.equal(seeder.exit, undefined, 'the seeder is there');
});
