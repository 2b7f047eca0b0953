/**
 * Takes a picture of every state in the gallery: light and dark, phone and desktop.
 *
 *   npm run screenshots --workspace web [-- SCENE …]
 *
 * Pictures go to `tests/artifacts/page/`; the one in the documentation is renewed with `--docs`. Needs a Chromium:
 * `CHROMIUM=/path/to/chromium`, else `/usr/bin/chromium`, else one that Playwright has installed.
 */

import { existsSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { createServer } from 'vite';

const web = fileURLToPath(new URL('..', import.meta.url));
const pictures = fileURLToPath(new URL('../../tests/artifacts/page/', import.meta.url));
const documentation = fileURLToPath(new URL('../../docs/images/', import.meta.url));

const VIEWS = {
  'desktop-light': { viewport: { width: 1280, height: 800 }, colorScheme: 'light' },
  'desktop-dark': { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  'phone-light': { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, colorScheme: 'light' },
  'phone-dark': { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, colorScheme: 'dark' },
};

const args = process.argv.slice(2);
const wanted = args.filter((arg) => !arg.startsWith('--'));

const server = await createServer({ root: web, logLevel: 'error', server: { port: 0, host: '127.0.0.1' } });
await server.listen();
const origin = server.resolvedUrls.local[0];
const executablePath = [process.env.CHROMIUM, '/usr/bin/chromium'].find((path) => path && existsSync(path));
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });

async function newPage(view) {
  const page = await browser.newPage({ ...view, reducedMotion: 'reduce' });
  page.on('pageerror', (error) => console.error(error.stack));
  page.on('console', (message) => message.type() === 'error' && console.error(message.text()));
  return page;
}

async function show(page, scene) {
  await page.goto(`${origin}gallery.html${scene ? `?scene=${scene}` : ''}`);
  await page.waitForSelector('html[data-ready]');
}

try {
  mkdirSync(pictures, { recursive: true });
  const list = await newPage(VIEWS['desktop-light']);
  await show(list, '');
  const scenes = await list.$$eval('a', (links) => links.map((link) => new URL(link.href).searchParams.get('scene')));
  await list.close();
  for (const [name, view] of Object.entries(VIEWS)) {
    const page = await newPage(view);
    for (const scene of scenes.filter((known) => wanted.length === 0 || wanted.includes(known))) {
      await show(page, scene);
      await page.screenshot({ path: `${pictures}${scene}-${name}.png`, fullPage: true });
    }
    if (args.includes('--docs') && name === 'desktop-light') {
      mkdirSync(documentation, { recursive: true });
      await page.setViewportSize({ width: 1280, height: 960 });
      await show(page, 'downloading');
      await page.screenshot({ path: `${documentation}page.png` });
    }
    await page.close();
  }
  console.log(`pictures are in ${pictures}`);
} finally {
  await browser.close();
  await server.close();
}
