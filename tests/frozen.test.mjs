// A tab in the background that the browser freezes: nothing of it runs for a while, and then it runs again, with timers that
// are long due and a far end that waits, or has given it up. Chromium freezes it itself.

import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';

import { openFreezable } from './harness/background.mjs';
import { pleachBinary, scenario, secondShown, sha256, startTracker, until, writeVideo } from './harness/index.mjs';

const MIB = 1 << 20;
/** What may be on its way to a page: its credit. */
const CREDIT_BYTES = 2 * MIB;
const options = { timeoutMs: 120_000 };

const inElement = (page, read) => page.evaluate(`(${read})(document.querySelector('pleach-download'))`);
const progress = (page) => inElement(page, (it) => it.progress);
const inVideo = (page, read) => page.evaluate(`(${read})(document.querySelector('pleach-download').shadowRoot.querySelector('video'))`);

scenario('a tab that is frozen while it downloads goes on with the same peer', options, async (lab) => {
  const file = await lab.sample('frozen.bin', 16 * MIB);
  const { address } = await startTracker(lab);
  const seeder = await seedCounting(lab, file, address, ['--upload-limit', '2MB']);
  const { page, freeze, wake } = await openFreezable(lab, seeder.link);
  await someIsThere(page, 0.1);
  await freeze();
  await untilQuiet(seeder);
  const before = await frozenAt(page);
  assert.ok(before > 0.1 && before < 0.9, `${before}`);
  await wake();
  await complete(page);
  assert.equal(await storedDigest(page), await sha256(file));
  await sentOnce(seeder, 16 * MIB);
});

scenario('a tab whose peer went while it was frozen goes on with somebody else', options, async (lab) => {
  const file = await lab.sample('frozen.bin', 16 * MIB);
  const { address } = await startTracker(lab);
  const seeder = await seedCounting(lab, file, address, ['--upload-limit', '2MB']);
  const { page, freeze, wake } = await openFreezable(lab, seeder.link);
  await someIsThere(page, 0.3);
  await freeze();
  await seeder.process.stop({ signal: 'SIGKILL' });
  const before = await frozenAt(page);
  await wake();
  const other = await seedCounting(lab, file, address, [], 'other');
  await complete(page);
  assert.equal(await storedDigest(page), await sha256(file));
  await sentOnce(other, 16 * MIB * (1 - before));
});

scenario('a tab that is frozen while it plays plays on', options, async (lab) => {
  const file = await writeVideo(lab, 'video.webm', { seconds: 40, bytesPerS: 150_000 });
  const { address } = await startTracker(lab);
  const seeder = await seedCounting(lab, file, address, ['--upload-limit', '600kB']);
  const { page, freeze, wake } = await openFreezable(lab, seeder.link);
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await until('the video plays', () => inVideo(page, (video) => video?.currentTime > 0.3));
  await freeze();
  await untilQuiet(seeder);
  const before = await frozenAt(page);
  assert.ok(before < 0.9, `${before}`);
  const from = await inVideo(page, (video) => video.currentTime);
  await wake();
  // The browser pauses what it freezes; whoever comes back presses play.
  await inVideo(page, (video) => video.play());
  await until('the video plays on', () => inVideo(page, `(video) => !video.paused && video.currentTime > ${from} + 1`));
  // Where nothing had come yet.
  await inVideo(page, (video) => void (video.currentTime = 38.1));
  await until('it plays there', () => inVideo(page, (video) => !video.seeking && !video.error && video.currentTime > 38.3));
  assert.ok((await inVideo(page, secondShown)) >= 38);
  await complete(page);
  assert.equal(await storedDigest(page), await sha256(file));
  await sentOnce(seeder, (await stat(file)).size);
});

/** Whose link breaks before waits 20 s for the tracker to try again. */
async function someIsThere(page, share) {
  await until('some of it is there', async () => (await progress(page)) > share, { timeoutMs: 40_000 });
}

/** How much is there while nothing moves. */
async function frozenAt(page) {
  assert.equal(await page.evaluate(() => globalThis.wasFrozen), true, 'the page was told');
  const before = await progress(page);
  assert.equal(await progress(page), before);
  return before;
}

async function complete(page) {
  await until('all is there', async () => (await inElement(page, (it) => it.state)) === 'complete', { timeoutMs: 60_000 });
}

/** The digest of what the browser keeps of the only content that it has. */
function storedDigest(page) {
  return page.evaluate(async () => {
    const all = await (await navigator.storage.getDirectory()).getDirectoryHandle('pleach');
    const [folder, ...others] = await Array.fromAsync(all.values());
    if (others.length > 0) throw new Error('there is more than one');
    const data = await (await folder.getFileHandle('data')).getFile();
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await data.arrayBuffer()));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  });
}

/** A seeder that counts: each line is a JSON object, one a second. */
async function seedCounting(lab, file, address, args = [], name = 'seed') {
  const process = lab.start(name, pleachBinary(), ['seed', file, '--tracker', `http://${address}`, '--json', '-v', ...args]);
  const [, link] = await process.waitFor(/"link":"(http:[^"]+)"/);
  const counts = () => process.lines.filter((line) => line.startsWith('{"control_bytes"')).map((line) => JSON.parse(line));
  return { process, link, counts };
}

/** Until the seeder has sent nothing for a second. */
async function untilQuiet({ counts }) {
  const from = counts().length;
  await until('the seeder sends nothing', () => {
    const [last, before] = counts().slice(from).reverse();
    return before && before.sent_bytes === last.sent_bytes;
  });
}

/** Ends a seeder, which has sent nothing twice but what was on its way when a link broke, as on a loaded machine one may. */
async function sentOnce({ process, counts }, missingBytes) {
  await process.stop();
  const { event, sent_bytes: sentBytes, links_opened: links } = counts().at(-1);
  assert.equal(event, 'end');
  assert.ok(sentBytes <= missingBytes + CREDIT_BYTES * (links - 1), `${sentBytes} of ${missingBytes}, over ${links} links`);
}
