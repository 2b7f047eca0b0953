// One download in a page, and what memory it takes: the same for the test, which is small, and the benchmark.

import path from 'node:path';

import { sha256 } from './files.mjs';
import { memoryOf, watchBuffers, watchMemory } from './memory.mjs';
import { share } from './pleach.mjs';
import { until } from './wait.mjs';

const MIB = 1 << 20;

/** MiB above the empty page: at most while it comes, with all there, and at most while it is saved; then of buffers too. */
export async function measureDownload(lab, { mib, args = [], timeoutMs }) {
  const file = await lab.sample('large.bin', mib * MIB);
  const { link } = await share(lab, file, args);
  const browser = await lab.chromium({ acceptDownloads: true });
  await browser.context.addInitScript(() => Object.defineProperty(globalThis, 'showSaveFilePicker', { value: undefined }));
  const page = await browser.open(`${new URL(link).origin}/`);
  await page.getByText('Paste the link').waitFor();
  const empty = memoryOf(browser.profileFolder);
  const coming = watchMemory(browser.profileFolder);
  await page.goto(link);
  const state = () => page.evaluate(() => document.querySelector('pleach-download').state);
  const begin = performance.now();
  await until(
    'it is complete',
    async () => {
      const now = await state();
      if (now === 'failed') throw new Error(await page.evaluate(() => document.querySelector('pleach-download').shadowRoot.textContent));
      return now === 'complete';
    },
    { timeoutMs },
  );
  const seconds = (performance.now() - begin) / 1000;
  const most = coming.stop();
  const there = memoryOf(browser.profileFolder);
  const saving = watchMemory(browser.profileFolder);
  const buffers = await watchBuffers(page);
  const [download] = await Promise.all([page.waitForEvent('download', { timeout: timeoutMs }), page.getByRole('button', { name: 'Save file' }).click()]);
  const saved = path.join(await lab.folder(), 'saved.bin');
  await download.saveAs(saved);
  const mostSaving = { ...saving.stop(), buffers: await buffers.stop() };
  const right = (await sha256(saved)) === (await sha256(file));
  const above = (now) => ({ pages: now.pages - empty.pages, all: now.all - empty.all });
  return { mib, empty, coming: above(most), there: above(there), saving: { ...above(mostSaving), buffers: mostSaving.buffers }, mibPerS: mib / seconds, right };
}
