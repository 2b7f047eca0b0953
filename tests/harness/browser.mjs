// A headless Chromium with a profile of its own, its pages' consoles recorded.

import { chromium } from 'playwright-core';
import path from 'node:path';
import { writeFile } from 'node:fs/promises';

import { chromiumBinary } from './paths.mjs';

// Nothing that goes to the network by itself, and UDP for us alone.
export const FLAGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export class Browser {
  /** What pages have said: console messages, uncaught errors, crashes. */
  lines = [];

  #context;

  /** `options` are Playwright's, such as `{ acceptDownloads: true }`; `args` are added to Chromium's flags. */
  static async launch(name, profileFolder, { args = [], profileFolder: _, ...options } = {}) {
    const context = await chromium.launchPersistentContext(profileFolder, {
      executablePath: chromiumBinary(),
      headless: true,
      // Chromium refuses to sandbox itself as root, which is who runs tests in a container.
      chromiumSandbox: process.getuid?.() !== 0,
      args: [...FLAGS, ...args],
      ...options,
    });
    return new Browser(name, context, profileFolder);
  }

  constructor(name, context, profileFolder) {
    this.name = name;
    this.profileFolder = profileFolder;
    this.#context = context;
    context.on('page', (page) => this.#record(page));
    context.pages().forEach((page) => this.#record(page));
  }

  /** Playwright's browser context. */
  get context() {
    return this.#context;
  }

  /** A new page, at `url` where one is given. */
  async open(url) {
    const page = await this.#context.newPage();
    if (url) await page.goto(url);
    return page;
  }

  /** Writes a picture of each page and what all have said. */
  async saveArtifacts(folder) {
    await writeFile(path.join(folder, `${this.name}.log`), this.lines.join('\n') + '\n');
    const pictures = this.#context.pages().map((page, index) =>
      page
        .screenshot({ path: path.join(folder, `${this.name}-page-${index}.png`), timeout: 5_000 })
        // A page that hangs or has crashed has no picture; the test's own error is the one to tell.
        .catch((error) => this.lines.push(`no picture of page ${index}: ${error.message}`)),
    );
    await Promise.all(pictures);
  }

  close() {
    return this.#context.close();
  }

  #record(page) {
    const say = (what) => this.lines.push(`${new Date().toISOString()} ${page.url()} ${what}`);
    page.on('console', (message) => say(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => say(`uncaught: ${error.stack ?? error.message}`));
    page.on('crash', () => say('the page crashed'));
    page.on('requestfailed', (request) => say(`failed: ${request.url()} ${request.failure()?.errorText}`));
  }
}
