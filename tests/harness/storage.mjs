// A page with the modules of `web/src/storage` in its global scope.

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { root } from './paths.mjs';

/** A page of a server of its own, with the storage modules in its global scope. */
export async function openPage(lab) {
  const folder = await lab.folder();
  const tsc = path.join(root, 'node_modules/.bin/tsc');
  const project = path.join(root, 'tests/storage.tsconfig.json');
  await promisify(execFile)(tsc, ['-p', project, '--outDir', path.join(folder, 'storage')]);
  await writeFile(path.join(folder, 'index.html'), '<!doctype html><meta charset="utf-8"><title>storage</title>');
  const server = await lab.serve(folder);
  const browser = await lab.chromium({ acceptDownloads: true });
  const page = await browser.open(server.url);
  await prepare(page);
  return { page, browser, server };
}

export async function prepare(page) {
  await page.evaluate(async (patternSource) => {
    const names = ['opfs-store', 'memory-store', 'kept', 'save', 'store'];
    const modules = await Promise.all(names.map((name) => import(`/storage/${name}.js`)));
    globalThis.storage = Object.assign({}, ...modules);
    globalThis.MIB = 1024 * 1024;
    globalThis.openStore = (content, sizeBytes, { name = '', page = '', quotaBytes = null } = {}) => {
      return storage.OpfsStore.open({ content, sizeBytes, name, page, quotaBytes, workerUrl: '/storage/store-worker.js' });
    };
    globalThis.wholeOf = (store) => async () => ({ sizeBytes: store.sizeBytes, blob: await store.file() });
    globalThis.pattern = new Function(`return ${patternSource}`)();
    globalThis.equal = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);
  }, pattern.toString());
}

/** Bytes that tell their offset. */
export function pattern(offset, length) {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = Math.imul(offset + i, 2_654_435_761) >>> 24;
  return bytes;
}
