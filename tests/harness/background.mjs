// A browser whose pages can be in the background.
//
// Playwright tells each page that it launches that it is seen and focused, always; such a page is never frozen. So this
// Chromium is started as a program, and Playwright joins it without its own settings.

import path from 'node:path';

import { chromium } from 'playwright-core';

import { FLAGS } from './browser.mjs';
import { chromiumBinary } from './paths.mjs';

/** Opens a page in such a browser. `freeze` and `wake` (once, for good) are what browsers do to a tab that was left, and came back to. */
export async function openFreezable(lab, url) {
  const profile = path.join(await lab.folder(), 'freezable');
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const flags = ['--headless', ...FLAGS, ...sandbox, '--remote-debugging-port=0', `--user-data-dir=${profile}`];
  const program = lab.start('chromium-freezable', chromiumBinary(), [...flags, 'about:blank']);
  const [, address] = await program.waitFor(/DevTools listening on (ws:\S+)/);
  const browser = await chromium.connectOverCDP(address, { noDefaults: true });
  lab.adopt(browser);
  const [context] = browser.contexts();
  const page = await context.newPage();
  page.on('pageerror', (error) => program.lines.push(`uncaught: ${error.stack ?? error.message}`));
  page.on('console', (message) => program.lines.push(`${message.type()}: ${message.text()}`));
  await page.goto(url);
  const devtools = await context.newCDPSession(page);
  await page.evaluate(() => document.addEventListener('freeze', () => (globalThis.wasFrozen = true)));
  return {
    page,
    async freeze() {
      await devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
    },
    async wake() {
      await devtools.send('Page.setWebLifecycleState', { state: 'active' });
      // It stays hidden otherwise.
      await devtools.send('Emulation.setFocusEmulationEnabled', { enabled: true });
    },
  };
}
