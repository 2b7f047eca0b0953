// Two tabs of one browser with one content: it lies there once. The second says so, and goes on by itself when the first has
// all of it, or has let go.

import assert from 'node:assert/strict';
import path from 'node:path';
import { stat } from 'node:fs/promises';

import { scenario, seed, sha256, startTracker, until, writeVideo } from './harness/index.mjs';

const state = (page) => page.evaluate(() => document.querySelector('pleach-download').state);
const inVideo = (page, read) => page.evaluate(`(${read})(document.querySelector('pleach-download').shadowRoot.querySelector('video'))`);
const contents = (page) =>
  page.evaluate(async () => {
    const all = await (await navigator.storage.getDirectory()).getDirectoryHandle('pleach');
    return (await Array.fromAsync(all.keys())).length;
  });

async function savedDigest(lab, page, name) {
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: /^Save/ }).click()]);
  const file = path.join(await lab.folder(), name);
  await download.saveAs(file);
  return sha256(file);
}

const ELSEWHERE = 'This file is open in another tab already.';
const saysElsewhere = (page) => page.getByText(ELSEWHERE).first().waitFor({ timeout: 20_000 });
const has = (page, wanted) => until(`the page is ${wanted}`, async () => (await state(page)) === wanted, { timeoutMs: 60_000 });

/** That the content came once. */
async function cameOnce(seeders, file) {
  let sentMib = 0;
  for (const seeder of seeders) {
    await seeder.stop();
    const [, sent, unit] = /([\d.]+) (KiB|MiB) sent to/.exec(seeder.lines.join('\n'));
    sentMib += Number(sent) / (unit === 'MiB' ? 1 : 1 << 10);
  }
  // A link that breaks on a loaded machine may cost what was on its way, which is 2 MiB at most.
  const sizeMib = (await stat(file)).size / (1 << 20);
  assert.ok(sentMib <= sizeMib + 2, `it came once: ${sentMib} MiB of ${sizeMib}`);
}

scenario('a second tab disturbs nothing of a first that plays, and has it all as soon as that has', { timeoutMs: 120_000 }, async (lab) => {
  const file = await writeVideo(lab, 'video.webm', { seconds: 40, bytesPerS: 150_000 });
  const { address } = await startTracker(lab);
  const { process: seeder, link } = await seed(lab, file, address, ['--upload-limit', '700kB']);
  const browser = await lab.chromium({ acceptDownloads: true });
  await browser.context.addInitScript(() => Object.defineProperty(globalThis, 'showSaveFilePicker', { value: undefined }));
  const first = await browser.open(link);
  await first.getByRole('button', { name: 'Play', exact: true }).click();
  await until('the video plays', () => inVideo(first, (video) => video?.currentTime > 0.3));

  const second = await browser.open(link);
  await saysElsewhere(second);
  assert.equal(await state(second), 'opening');
  assert.equal(await contents(second), 1);
  const from = await inVideo(first, (video) => video.currentTime);
  await until('the first plays on', () => inVideo(first, `(video) => !video.paused && !video.error && video.currentTime > ${from} + 0.5`));
  await has(first, 'complete');
  // Nobody touched it, and both are open.
  await has(second, 'complete');
  assert.equal(await contents(second), 1);
  for (const [at, page] of [first, second].entries()) assert.equal(await savedDigest(lab, page, `${at}.webm`), await sha256(file));
  // Who comes later finds it there too, whoever has gone meanwhile.
  await first.close();
  const third = await browser.open(link);
  await has(third, 'complete');
  assert.equal(await savedDigest(lab, third, 'third.webm'), await sha256(file));
  await cameOnce([seeder], file);
});

scenario('a second tab goes on by itself where a first was stopped or closed', { timeoutMs: 180_000 }, async (lab) => {
  const file = await lab.sample('file.bin', 8_000_000);
  const { address } = await startTracker(lab);
  // It lasts longer than what is done meanwhile, however slow the machine; then one without a limit ends it.
  const { process: slow, link } = await seed(lab, file, address, ['--upload-limit', '60kB']);
  const browser = await lab.chromium({ acceptDownloads: true });
  await browser.context.addInitScript(() => Object.defineProperty(globalThis, 'showSaveFilePicker', { value: undefined }));
  const [first, second] = [await browser.open(link), await browser.open('about:blank')];
  await has(first, 'downloading');
  await second.goto(link);
  await saysElsewhere(second);
  await first.getByRole('button', { name: 'Stop' }).click();
  await has(second, 'downloading');
  await first.getByRole('button', { name: /^(Go on|Start again)$/ }).click();
  await saysElsewhere(first);
  await second.close();
  await has(first, 'downloading');
  const { process: quick } = await seed(lab, file, address, [], 'quick');
  await has(first, 'complete');
  assert.equal(await savedDigest(lab, first, 'first.bin'), await sha256(file));
  await cameOnce([slow, quick], file);
});
