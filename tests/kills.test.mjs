// A browser that is killed in the middle of a download (SIGKILL, all of its processes), and opened again with the same
// profile: it goes on from there. What was verified and stored is not fetched again, and no wrong byte passes.

import assert from 'node:assert/strict';
import path from 'node:path';

import { scenario, sha256, share, until } from './harness/index.mjs';
import { pidsOf } from './harness/memory.mjs';

const MIB = 1 << 20;
const SIZE = 40 * MIB;
/** What a kill may cost: what was verified and not yet written, see the bounds in docs/architecture.md. */
const LOST_MAX = 8 * MIB;
/** At the end the last packets are asked for at two; what is on its way twice is not fetched again. */
const TWICE_MAX = 2 * MIB;

const read = (page, read) => page.evaluate(`(${read})(document.querySelector('pleach-download'))`);

/** A page of the link; tells what it found of an earlier visit once it has looked, and who sent how much since. */
async function open(lab, profileFolder, link) {
  const browser = await lab.chromium({ acceptDownloads: true, profileFolder });
  await browser.context.addInitScript(() => {
    Object.defineProperty(globalThis, 'showSaveFilePicker', { value: undefined });
    const received = new Map();
    globalThis.seen = { found: null, received: () => [...received.values()].reduce((sum, bytes) => sum + bytes, 0) };
    const look = ({ target }) => {
      const looked = target.state === 'searching' || target.state === 'downloading' || target.state === 'complete';
      if (looked) seen.found ??= target.progress;
      for (const { id, receivedBytes } of target.peers) received.set(id, Math.max(receivedBytes, received.get(id) ?? 0));
    };
    addEventListener('pleach-statechange', look);
    addEventListener('pleach-progress', look);
  });
  return { browser, page: await browser.open(link) };
}

scenario('a browser that is killed goes on from where it was', { timeoutMs: 300_000 }, async (lab, t) => {
  const file = await lab.sample('killed.bin', SIZE);
  const { link } = await share(lab, file, ['--upload-limit', '4MB']);
  const profile = path.join(await lab.folder(), 'profile');
  let before = 0;
  for (const killAt of [0.15, 0.4, 0.7]) {
    const { browser, page } = await open(lab, profile, link);
    await until(`${killAt * 100} % are there`, async () => (await read(page, (it) => it.progress)) >= killAt, { timeoutMs: 60_000 });
    const found = await page.evaluate(() => seen.found);
    if (before > 0) {
      t.diagnostic(`killed at ${(before * 100).toFixed(1)} %, found again ${(found * 100).toFixed(1)} %`);
      assert.ok(found * SIZE >= before * SIZE - LOST_MAX, `too much is lost: ${found} of ${before}`);
    }
    before = await read(page, (it) => it.progress);
    for (const pid of pidsOf(browser.profileFolder)) process.kill(pid, 'SIGKILL');
    await until('it is gone', () => pidsOf(browser.profileFolder).length === 0);
  }
  const { page } = await open(lab, profile, link);
  await until('it is complete', async () => (await read(page, (it) => it.state)) === 'complete', { timeoutMs: 60_000 });
  const { found, received } = await page.evaluate(() => ({ found: seen.found, received: seen.received() }));
  t.diagnostic(`killed at ${(before * 100).toFixed(1)} %, found again ${(found * 100).toFixed(1)} %, then received ${(received / MIB).toFixed(1)} MiB`);
  assert.ok(found * SIZE >= before * SIZE - LOST_MAX);
  assert.ok(received <= SIZE * (1 - found) + TWICE_MAX, `fetched again: ${received} after ${found * SIZE}`);
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save file' }).click()]);
  const saved = path.join(await lab.folder(), 'saved.bin');
  await download.saveAs(saved);
  assert.equal(await sha256(saved), await sha256(file));
});
