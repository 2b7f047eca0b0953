// The clock on the wall is set while a page downloads: nothing that moves hangs on it, what people read of it stays sensible,
// and only when a content is to be had is judged by it.

import assert from 'node:assert/strict';
import path from 'node:path';

import { settableClock } from './harness/clock.mjs';
import { scenario, seed, sha256, startTracker, until } from './harness/index.mjs';

const MIB = 1 << 20;
const HOUR_MS = 3_600_000;
const options = { timeoutMs: 90_000 };

const read = (page) =>
  page.evaluate(() => {
    const { state, progress, downloadSpeed, timeRemaining } = document.querySelector('pleach-download');
    return { state, progress, downloadSpeed, timeRemaining };
  });
const moment = (offMs) => new Date(Date.now() + offMs).toISOString();

async function openBrowser(lab) {
  const browser = await lab.chromium({ acceptDownloads: true });
  await browser.context.addInitScript(() => Object.defineProperty(globalThis, 'showSaveFilePicker', { value: undefined }));
  return { browser, clock: await settableClock(browser) };
}

async function complete(page) {
  await until('all is there', async () => (await read(page)).state === 'complete', { timeoutMs: 60_000 });
}

async function savedDigest(lab, page) {
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save file' }).click()]);
  const file = path.join(await lab.folder(), 'saved.bin');
  await download.saveAs(file);
  return sha256(file);
}

scenario('a clock that jumps by hours changes nothing of a download', options, async (lab) => {
  const file = await lab.sample('clock.bin', 16 * MIB);
  const { address } = await startTracker(lab);
  const { link } = await seed(lab, file, address, ['--upload-limit', '2MB']);
  const { browser, clock } = await openBrowser(lab);
  const page = await browser.open(link);
  await until('some of it is there', async () => (await read(page)).progress > 0.1, { timeoutMs: 40_000 });
  for (const hours of [5, -9, 48, 0, -1, 30]) {
    await clock.set(page, hours * HOUR_MS);
    const before = await read(page);
    await until('it goes on', async () => {
      const now = await read(page);
      assert.ok(now.progress >= before.progress && now.progress <= 1, JSON.stringify({ before, now }));
      assert.ok(now.timeRemaining === null || (now.timeRemaining >= 0 && now.timeRemaining < 3_600), JSON.stringify(now));
      assert.ok(now.downloadSpeed < 100 * MIB, JSON.stringify(now));
      return now.progress > before.progress || now.state === 'complete';
    }, { timeoutMs: 40_000 });
  }
  await complete(page);
  assert.equal(await savedDigest(lab, page), await sha256(file));

  // It was used 30 hours in the future, as the clock is now right again; then that is long ago.
  const kept = await browser.open(`http://${address}/kept.html`);
  await page.close();
  for (const [hours, told] of [[0, 'used just now'], [30, 'used just now'], [80, 'used 2 days ago']]) {
    await clock.set(kept, hours * HOUR_MS);
    await kept.reload();
    await kept.getByText(told).first().waitFor({ timeout: 20_000 });
  }
});

scenario('content is to be had from a moment on, and until one, by the clock of the page', options, async (lab) => {
  const file = await lab.sample('clock.bin', 12 * MIB);
  const { address } = await startTracker(lab);
  const times = ['--active-from', moment(-HOUR_MS), '--active-until', moment(HOUR_MS)];
  const { link } = await seed(lab, file, address, ['--upload-limit', '2MB', ...times]);
  const { browser, clock } = await openBrowser(lab);
  const page = await browser.open(link);
  await until('some of it is there', async () => (await read(page)).progress > 0.2, { timeoutMs: 40_000 });

  await clock.set(page, 2 * HOUR_MS);
  await page.getByText('The time of this is over.').first().waitFor({ timeout: 20_000 });
  await page.getByText(/It was to be had until .*20\d\d/).first().waitFor();
  const { state, progress } = await read(page);
  assert.equal(state, 'failed');
  assert.ok(progress > 0.2 && progress < 1, 'what is here stays');
  await page.getByRole('button', { name: 'Try again' }).click();
  await until('it is refused again', async () => (await read(page)).state === 'failed');

  await clock.set(page, -2 * HOUR_MS);
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByText('This is not to be had yet.').first().waitFor({ timeout: 20_000 });
  await page.getByText(/It is to be had from .*20\d\d.* on/).first().waitFor();

  await clock.set(page, 0);
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByText(/went on from/i).first().waitFor({ timeout: 20_000 });
  await complete(page);
  // Nothing takes back what has come: it is passed on no more, and can be saved.
  await clock.set(page, 2 * HOUR_MS);
  await until('it has left the swarm', () => page.evaluate(() => document.querySelector('pleach-download').numPeers === 0));
  assert.equal(await savedDigest(lab, page), await sha256(file));
});
