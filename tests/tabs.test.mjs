// Two tabs of one browser with one content: it lies there once, the first has it, and the second says so and takes over.

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

scenario('a second tab disturbs nothing of a first that plays, and has it all when that is closed', { timeoutMs: 120_000 }, async (lab) => {
  const file = await writeVideo(lab, 'video.webm', { seconds: 40, bytesPerS: 150_000 });
  const { address } = await startTracker(lab);
  const { process: seeder, link } = await seed(lab, file, address, ['--upload-limit', '700kB']);
  const browser = await lab.chromium({ acceptDownloads: true });
  await browser.context.addInitScript(() => Object.defineProperty(globalThis, 'showSaveFilePicker', { value: undefined }));
  const first = await browser.open(link);
  await first.getByRole('button', { name: 'Play', exact: true }).click();
  await until('the video plays', () => inVideo(first, (video) => video?.currentTime > 0.3));

  const second = await browser.open(link);
  await second.getByText('This file is open in another tab already.').first().waitFor({ timeout: 20_000 });
  assert.equal(await contents(second), 1);
  const from = await inVideo(first, (video) => video.currentTime);
  await until('the first plays on', () => inVideo(first, `(video) => !video.paused && !video.error && video.currentTime > ${from} + 0.5`));
  await until('the first has all', async () => (await state(first)) === 'complete', { timeoutMs: 60_000 });
  assert.equal(await savedDigest(lab, first, 'first.webm'), await sha256(file));
  // All of it lies there, but in the hands of the first.
  await second.getByRole('button', { name: 'Try again' }).click();
  await until('it is told again', async () => (await state(second)) === 'failed');

  await first.close();
  await second.getByRole('button', { name: 'Try again' }).click();
  await until('the second has all', async () => (await state(second)) === 'complete', { timeoutMs: 30_000 });
  assert.equal(await savedDigest(lab, second, 'second.webm'), await sha256(file));
  assert.equal(await contents(second), 1);
  await seeder.stop();
  const [, sentMib] = /([\d.]+) MiB sent to/.exec(seeder.lines.join('\n'));
  // A link that breaks on a loaded machine may cost what was on its way, which is 2 MiB at most.
  const sizeMib = (await stat(file)).size / (1 << 20);
  assert.ok(Number(sentMib) <= sizeMib + 2, `it came once: ${sentMib} MiB of ${sizeMib}`);
});
