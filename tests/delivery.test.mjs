// From the command line to browsers and on to others: real tracker, real native peers, real pages, real WebRTC.
//
// Each page lives in a browser of its own, as it would with different people.

import assert from 'node:assert/strict';
import path from 'node:path';
import { stat } from 'node:fs/promises';

import { examplesFolder, pleachBinary, scenario, seed, sha256, share, startTracker, until } from './harness/index.mjs';

const MIB = 1 << 20;

/** A browser that saves by its downloads: nobody is there to answer a file picker. */
async function openBrowser(lab) {
  const browser = await lab.chromium({ acceptDownloads: true });
  await browser.context.addInitScript(() => Object.defineProperty(globalThis, 'showSaveFilePicker', { value: undefined }));
  return browser;
}

/** Opens a link in a browser of its own. */
async function openPage(lab, link) {
  const browser = await openBrowser(lab);
  const page = await browser.open(link);
  // Whom the page was ever connected to, and what went wrong on the way.
  await page.evaluate(() => {
    const element = document.querySelector('pleach-download');
    globalThis.met = [];
    globalThis.errors = [];
    const look = () => {
      for (const peer of element.peers) {
        if (!globalThis.met.some(({ id }) => id === peer.id)) globalThis.met.push({ id: peer.id, agent: peer.agent });
      }
    };
    element.addEventListener('pleach-progress', look);
    element.addEventListener('pleach-statechange', look);
    element.addEventListener('pleach-error', ({ detail }) => globalThis.errors.push(detail));
  });
  return page;
}

const element = (page, read) => page.evaluate(`(${read})(document.querySelector('pleach-download'))`);
const progress = (page) => element(page, (it) => it.progress);
const peers = (page) => element(page, (it) => it.peers);

async function complete(page, timeoutMs = 120_000) {
  await until(
    'the page has everything',
    async () => {
      const errors = await page.evaluate(() => globalThis.errors);
      assert.deepEqual(errors, []);
      return (await element(page, (it) => it.state)) === 'complete';
    },
    { timeoutMs },
  );
}

/** Presses the page's button, and gives the digest of the file that arrives. */
async function save(page, lab) {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: /^save/i }).click(),
  ]);
  const file = path.join(await lab.folder(), `${Math.random().toString(36).slice(2)}.saved`);
  await download.saveAs(file);
  return { name: download.suggestedFilename(), digest: await sha256(file), size: (await stat(file)).size };
}

scenario('(a) 256 MiB from the command line to a page, byte for byte', { timeoutMs: 300_000 }, async (lab) => {
  const file = await lab.sample('Größe 大きい.bin', 256 * MIB);
  const { process, link } = await share(lab, file);
  const page = await openPage(lab, link);
  await complete(page, 240_000);
  const saved = await save(page, lab);
  assert.equal(saved.name, 'Größe 大きい.bin');
  assert.equal(saved.digest, await sha256(file));
  assert.deepEqual(await process.stop(), { code: 0, signal: null }, 'Ctrl-C ends it cleanly');
});

scenario('(b) a page passes on to a page that never meets the seeder', { timeoutMs: 180_000 }, async (lab) => {
  const file = await lab.sample('relay.bin', 24 * MIB);
  // One tree in which the seeder has one child, and that is never put in another order: a chain.
  const { address } = await startTracker(lab, { args: ['--stripes', '1', '--epoch-ms', '600000'] });
  const { process, link } = await seed(lab, file, address, ['--slots', '1', '--upload-limit', '3MB']);
  const first = await openPage(lab, link);
  await until('the first page receives', async () => (await progress(first)) > 0);
  const second = await openPage(lab, link);
  await until('the second page receives', async () => (await progress(second)) > 0, { timeoutMs: 60_000 });
  assert.ok((await progress(first)) < 1, 'it began before the first had all');
  await complete(second);
  assert.equal((await save(second, lab)).digest, await sha256(file));
  const met = await second.evaluate(() => globalThis.met);
  assert.ok(met.length > 0 && met.every(({ agent }) => !agent.startsWith('pleach')), JSON.stringify(met));
  const linked = process.lines.filter((line) => /connected to peer/.test(line));
  assert.equal(linked.length, 1, `the seeder met the first page only:\n${linked.join('\n')}`);
});

scenario('(c) the seeder goes, and a third page gets it from the first two', { timeoutMs: 180_000 }, async (lab) => {
  const file = await lab.sample('orphan.bin', 16 * MIB);
  const { address } = await startTracker(lab);
  const { process, link } = await seed(lab, file, address);
  const pages = [await openPage(lab, link), await openPage(lab, link)];
  for (const page of pages) await complete(page);
  await process.stop();
  const third = await openPage(lab, link);
  await complete(third);
  assert.equal((await save(third, lab)).digest, await sha256(file));
  const met = await third.evaluate(() => globalThis.met);
  assert.equal(met.length, 2, `from both: ${JSON.stringify(met)}`);
});

scenario('(d) from a page to the command line', { timeoutMs: 180_000 }, async (lab) => {
  const file = await lab.sample('back.bin', 16 * MIB);
  const { address } = await startTracker(lab);
  const { process, link } = await seed(lab, file, address);
  const page = await openPage(lab, link);
  await complete(page);
  await process.stop();
  const out = path.join(await lab.folder(), 'got.bin');
  const get = lab.start('get', pleachBinary(), ['get', link, '-o', out]);
  assert.deepEqual(await get.ended, { code: 0, signal: null });
  assert.equal(await sha256(out), await sha256(file));
});

scenario('(e) the tracker is killed and restarted in the middle', { timeoutMs: 180_000 }, async (lab) => {
  const file = await lab.sample('restart.bin', 32 * MIB);
  const { process: tracker, address } = await startTracker(lab);
  const { link } = await seed(lab, file, address, ['--upload-limit', '3MB']);
  const page = await openPage(lab, link);
  await until('the page receives', async () => (await progress(page)) > 0.05);
  await tracker.stop({ signal: 'SIGKILL' });
  const before = await progress(page);
  await until('it goes on without a tracker', async () => (await progress(page)) > before + 0.1);
  await startTracker(lab, { listen: address, name: 'tracker-again' });
  // Somebody new finds both, so both have joined again, and the manifest is there again.
  const late = await until(
    'the manifest is back',
    async () => (await fetch(link.replace(/#.*/, '.pleach'))).ok && openPage(lab, link),
    { timeoutMs: 60_000 },
  );
  await complete(page);
  await complete(late);
  assert.equal((await save(page, lab)).digest, await sha256(file));
});

scenario('(f) a lying peer costs nothing but its link', { timeoutMs: 180_000 }, async (lab) => {
  const file = await lab.sample('truth.bin', 16 * MIB);
  const { address } = await startTracker(lab);
  const liar = lab.start('liar', path.join(examplesFolder(), 'liar'), [file, `http://${address}`]);
  const [link] = await liar.waitFor(/^http:\S+/);
  const page = await openPage(lab, link);
  await until('the lie is found out', async () => page.getByText(/sent (wrong|damaged|bad)/i).first().isVisible(), {
    timeoutMs: 60_000,
  });
  assert.equal(await progress(page), 0, 'nothing of the liar is kept');
  await seed(lab, file, address);
  await complete(page);
  assert.equal((await save(page, lab)).digest, await sha256(file));
});

scenario('sizes at the edges arrive in a page', { timeoutMs: 180_000 }, async (lab) => {
  const browser = await openBrowser(lab);
  for (const size of [0, 1, 16_385, 65_537]) {
    const file = await lab.sample(`${size}.bin`, size);
    const { process, link } = await share(lab, file, [], `share-${size}`);
    const page = await browser.open(link);
    await page.getByRole('button', { name: /^save/i }).waitFor({ timeout: 30_000 });
    await until('it is complete', async () => (await element(page, (it) => it.state)) === 'complete');
    const saved = await save(page, lab);
    assert.equal(saved.size, size);
    assert.equal(saved.digest, await sha256(file));
    await page.close();
    await process.stop();
  }
});

scenario('a page that is closed at the half goes on where it was', { timeoutMs: 180_000 }, async (lab) => {
  const file = await lab.sample('resume.bin', 24 * MIB);
  const { link } = await share(lab, file, ['--upload-limit', '4MB']);
  const browser = await openBrowser(lab);
  const page = await browser.open(link);
  await until('half is there', async () => (await progress(page)) > 0.5, { timeoutMs: 60_000 });
  await page.close();
  const again = await browser.open(link);
  await again.getByText(/went on from/i).first().waitFor({ timeout: 30_000 });
  await until('it is complete', async () => (await element(again, (it) => it.state)) === 'complete', { timeoutMs: 60_000 });
  assert.equal((await save(again, lab)).digest, await sha256(file));
});
