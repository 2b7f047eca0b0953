// The harness of the end-to-end tests.
//
//   scenario('a page takes a file from a seeder', async (lab) => {
//     const file = await lab.sample('sample.bin', 4 << 20);
//     const seeder = lab.start('seeder', pleachBinary(), ['share', file]);
//     const [link] = await seeder.waitFor(/http:\S+/);
//     const browser = await lab.chromium();
//     const page = await browser.open(link);
//     ...
//   });
//
// Whatever a scenario starts through its lab (processes, browsers, servers, folders) is gone when it ends. When it
// fails, the output of the processes, the consoles and pictures of the pages are in `tests/artifacts/<its name>`.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { Browser } from './browser.mjs';
import { FileServer } from './file-server.mjs';
import { writeSample } from './files.mjs';
import { NativeProcess } from './native-process.mjs';
import { artifacts } from './paths.mjs';
import { within } from './wait.mjs';

export { sha256 } from './files.mjs';
export { examplesFolder, pleachBinary, root, webDist } from './paths.mjs';
export { seedFolder } from './folder.mjs';
export { seed, share, startTracker } from './pleach.mjs';
export { secondShown, writeVideo } from './video.mjs';
export { until } from './wait.mjs';

/** A test with a lab; it fails when it takes longer than `timeoutMs`. */
export function scenario(name, ...rest) {
  const [{ timeoutMs = 60_000, ...options }, body] = rest.length === 1 ? [{}, rest[0]] : rest;
  return test(name, options, async (t) => {
    const lab = new Lab(name);
    try {
      await within(timeoutMs, 'the scenario', body(lab, t));
    } catch (error) {
      const folder = await lab.saveArtifacts();
      t.diagnostic(`logs and pictures are in ${folder}`);
      throw error;
    } finally {
      await lab.close();
    }
  });
}

/** Runs what is no test, such as a benchmark, with a lab. */
export async function withLab(name, body) {
  const lab = new Lab(name);
  try {
    return await body(lab);
  } finally {
    await lab.close();
  }
}

/** What one scenario has started. */
class Lab {
  #processes = [];
  #browsers = [];
  #browsersNamed = 0;
  #servers = [];
  #folder;
  #artifacts;

  constructor(name) {
    this.#artifacts = path.join(artifacts, name.replace(/[^\w]+/g, '-').toLowerCase());
  }

  /** The scenario's own folder for whatever it writes. */
  folder() {
    this.#folder ??= mkdtemp(path.join(os.tmpdir(), 'pleach-test-'));
    return this.#folder;
  }

  /** A new file of `size` bytes in the scenario's folder, always the same for the same `seed`. */
  async sample(name, size, seed) {
    const file = path.join(await this.folder(), name);
    await writeSample(file, size, seed);
    return file;
  }

  /** Starts a native process; `options` are those of Node's `spawn`. */
  start(name, command, args, options) {
    const child = new NativeProcess(name, command, args, options);
    this.#processes.push(child);
    return child;
  }

  /** Serves the files of a folder by HTTP. */
  async serve(folder, options) {
    const server = await FileServer.start(folder, options);
    this.#servers.push(server);
    return server;
  }

  /** Closes a server of another kind when the scenario ends. */
  adopt(server) {
    this.#servers.push(server);
  }

  /** Launches a headless Chromium with a new profile, or with that of one that has ended (`profileFolder`). */
  async chromium(options) {
    // Counted at once: several may be starting.
    const name = `chromium-${this.#browsersNamed++}`;
    const profile = options?.profileFolder ?? path.join(await this.folder(), name);
    const browser = await Browser.launch(name, profile, options);
    this.#browsers.push(browser);
    return browser;
  }

  async saveArtifacts() {
    await rm(this.#artifacts, { recursive: true, force: true });
    await mkdir(this.#artifacts, { recursive: true });
    for (const { name, lines } of this.#processes) {
      await writeFile(path.join(this.#artifacts, `${name}.log`), lines.join('\n') + '\n');
    }
    await Promise.all(this.#browsers.map((browser) => browser.saveArtifacts(this.#artifacts)));
    return this.#artifacts;
  }

  async close() {
    // allSettled: one thing that does not close must not keep the others open.
    const browsers = this.#browsers.map((browser) => browser.close());
    const ends = await Promise.allSettled([
      ...browsers,
      ...this.#processes.map((child) => child.stop()),
      ...this.#servers.map((server) => server.close()),
    ]);
    if (this.#folder) await rm(await this.#folder, { recursive: true, force: true, maxRetries: 5 });
    const failure = ends.find(({ status }) => status === 'rejected');
    if (failure) throw failure.reason;
  }
}
