/** The store of `web/src/storage` in a real browser: what it keeps, what it finds again, what it says when it cannot. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { scenario } from './harness/index.mjs';
import { openPage, pattern, prepare } from './harness/storage.mjs';

const ID = 'ab'.repeat(32);
const MIB = 1024 * 1024;
const options = { timeoutMs: 120_000 };

scenario('a store gives back what was written, now and after a reload', options, async (lab) => {
  const { page } = await openPage(lab);
  const sizeBytes = 5 * MIB + 13;
  const first = await page.evaluate(
    async ({ content, sizeBytes }) => {
      const { store, record } = await openStore(content, sizeBytes);
      const offsets = [4 * MIB, 0, 2 * MIB];
      await Promise.all(offsets.map((offset) => store.write(offset, pattern(offset, MIB))));
      store.appendRecord(Uint8Array.of(1, 2));
      store.appendRecord(Uint8Array.of(3));
      await store.flush();
      const read = await store.read(4 * MIB + 5, 1000);
      const tail = await store.read(sizeBytes - 3, 100);
      const room = new Uint8Array(2000);
      const into = await store.readInto(4 * MIB + 5, room.subarray(500, 1500));
      return {
        hadRecord: record !== undefined,
        right: equal(read, pattern(4 * MIB + 5, 1000)) && equal(into, read),
        tailBytes: tail.length,
        given: [room.length, into.byteOffset, into.buffer.byteLength],
        intoTailBytes: (await store.readInto(sizeBytes - 3, new Uint8Array(into.buffer))).length,
      };
    },
    { content: ID, sizeBytes },
  );
  assert.deepEqual(first, { hadRecord: false, right: true, tailBytes: 3, given: [0, 500, 2000], intoTailBytes: 3 });

  // No close: the page goes as pages do.
  await page.reload();
  await prepare(page);
  const second = await page.evaluate(
    async ({ content, sizeBytes }) => {
      const { store, record } = await openStore(content, sizeBytes);
      store.appendRecord(Uint8Array.of(4));
      const right = equal(await store.read(2 * MIB, MIB), pattern(2 * MIB, MIB));
      const gap = await store.read(MIB, 4);
      await store.close();
      const again = await openStore(content, sizeBytes);
      await again.store.remove();
      const removed = await openStore(content, sizeBytes);
      const zeros = await removed.store.read(2 * MIB, 4);
      return { record: [...record], right, gap: [...gap], again: [...again.record], removed: removed.record, zeros: [...zeros] };
    },
    { content: ID, sizeBytes },
  );
  assert.deepEqual(second, {
    record: [1, 2, 3],
    right: true,
    gap: [0, 0, 0, 0],
    again: [1, 2, 3, 4],
    removed: undefined,
    zeros: [0, 0, 0, 0],
  });
});

scenario('what is written is copied at once, whatever its size', options, async (lab) => {
  const { page } = await openPage(lab);
  const right = await page.evaluate(async (content) => {
    const { store } = await openStore(content, MIB);
    const lent = new Uint8Array(200_000);
    const sizes = [1, 100, 65_536, 65_537, 200_000];
    const results = [];
    // Twice, as buffers come back from the worker and are used again.
    for (const size of [...sizes, ...sizes]) {
      const part = lent.subarray(0, size).fill(size);
      const written = store.write(10, part);
      lent.fill(0);
      await written;
      results.push((await store.read(10, size)).every((byte) => byte === size % 256));
    }
    return results.length === 10 && results.every(Boolean);
  }, ID);
  assert.equal(right, true);
});

scenario('a read sees every write before it, in what was read ahead too', options, async (lab) => {
  const { page } = await openPage(lab);
  const seen = await page.evaluate(async (content) => {
    const { store } = await openStore(content, 2 * MIB);
    const first = (at) => store.read(at, 10).then((bytes) => bytes[0]);
    const seen = [await first(MIB / 2 - 10), await first(MIB / 2)];
    for (const value of [1, 2]) {
      void store.write(MIB / 2, new Uint8Array(10).fill(value));
      seen.push(await first(MIB / 2));
    }
    return seen;
  }, ID);
  assert.deepEqual(seen, [0, 0, 1, 2]);
});

scenario('a second tab is told so, and opens once the first has let go', options, async (lab) => {
  const { page, browser, server } = await openPage(lab);
  const open = (content) => openStore(content, 1000).then(() => 'open', ({ name, code, message }) => ({ name, code, message }));
  const other = await browser.open(server.url);
  await prepare(other);
  assert.equal(await page.evaluate(open, ID), 'open');
  const refused = { name: 'StoreError', code: 'already-open', message: 'This content is already open in another tab.' };
  assert.deepEqual(await other.evaluate(open, ID), refused);
  assert.equal(await other.evaluate(open, 'cd'.repeat(32)), 'open', 'another content is another place');
  await page.close();
  assert.equal(await other.evaluate(open, ID), 'open');
});

scenario('a full disk is told at the start, with both sizes', options, async (lab) => {
  const { page } = await openPage(lab);
  const fault = await page.evaluate(async (content) => {
    const { quota } = await navigator.storage.estimate();
    return openStore(content, quota + 1e6).catch(({ code, message, neededBytes, availableBytes }) => {
      return { code, message, hasSizes: neededBytes === quota + 1e6 && availableBytes <= quota };
    });
  }, ID);
  assert.equal(fault.code, 'no-space');
  assert.equal(fault.hasSizes, true);
  assert.match(fault.message, /^There is not enough space in the browser's storage: \d+ MB are needed, and \d+ MB are free\.$/);
});

scenario('a quota that shrinks meanwhile is told too', options, async (lab) => {
  const { page, browser, server } = await openPage(lab);
  const devtools = await browser.context.newCDPSession(page);
  // The estimate before is of the true quota, the write beyond of the small one.
  const opened = await page.evaluate((content) => openStore(content, 1000).then(({ store }) => Boolean((globalThis.kept = store))), ID);
  assert.equal(opened, true);
  await devtools.send('Storage.overrideQuotaForOrigin', { origin: server.url, quotaSize: 200_000 });
  const fault = await page.evaluate(async () => {
    const written = await kept.write(0, new Uint8Array(4 * MIB)).catch(({ code, message }) => ({ code, message }));
    return { ...written, noted: kept.failure?.code };
  });
  assert.equal(fault.code, 'no-space', fault.message);
  assert.equal(fault.noted, 'no-space');
});

scenario('the file is saved byte for byte, and can still be read for others', options, async (lab) => {
  const { page } = await openPage(lab);
  const sizeBytes = 9 * MIB + 7;
  const downloading = page.waitForEvent('download');
  const outcome = await page.evaluate(
    async ({ content, sizeBytes }) => {
      const { store } = await openStore(content, sizeBytes);
      globalThis.kept = store;
      await store.write(0, pattern(0, sizeBytes));
      return storage.save({ store, source: wholeOf(store), fileName: 'talk.mp4', picker: false });
    },
    { content: ID, sizeBytes },
  );
  assert.deepEqual(outcome, { how: 'download', fileName: 'talk.mp4' });
  const download = await downloading;
  assert.equal(download.suggestedFilename(), 'talk.mp4');
  const saved = await readFile(await download.path());
  assert.equal(saved.length, sizeBytes);
  assert.equal(sha256(saved), sha256(pattern(0, sizeBytes)));

  const after = await page.evaluate(async () => {
    const right = [await kept.read(3 * MIB, 100), await kept.readInto(3 * MIB, new Uint8Array(100))].every((bytes) => equal(bytes, pattern(3 * MIB, 100)));
    const written = await kept.write(0, new Uint8Array(1)).catch(({ code }) => code);
    kept.appendRecord(Uint8Array.of(1));
    await kept.flush();
    return { right, written, fileBytes: (await kept.file()).size };
  });
  assert.deepEqual(after, { right: true, written: 'closed', fileBytes: sizeBytes });
});

scenario('a chosen file appears whole or not at all', options, async (lab) => {
  const { page } = await openPage(lab);
  const result = await page.evaluate(async (content) => {
    const sizeBytes = 9 * MIB;
    const { store } = await openStore(content, sizeBytes);
    await store.write(0, pattern(0, sizeBytes));
    // A file of the origin private file system behaves as one that a person picks.
    const folder = await navigator.storage.getDirectory();
    globalThis.showSaveFilePicker = ({ suggestedName }) => folder.getFileHandle(suggestedName, { create: true });
    const sizeOf = async (name) => (await (await folder.getFileHandle(name)).getFile()).size;

    const progress = [];
    const whole = await storage.save({ store, source: wholeOf(store), fileName: 'whole', onProgress: (bytes) => progress.push(bytes / MIB) });
    const stop = new AbortController();
    const cut = await storage.save({ store, source: wholeOf(store), fileName: 'cut', signal: stop.signal, onProgress: () => stop.abort() });
    const saved = new Uint8Array(await (await (await folder.getFileHandle('whole')).getFile()).arrayBuffer());
    return { whole, progress, right: equal(saved, pattern(0, sizeBytes)), cut, cutBytes: await sizeOf('cut') };
  }, ID);
  assert.deepEqual(result, {
    whole: { how: 'file', fileName: 'whole' },
    progress: [4, 8, 9],
    right: true,
    cut: { how: 'cancelled' },
    cutBytes: 0,
  });
});

scenario('a part goes to the downloads by way of a file beside, while others still write', options, async (lab) => {
  const { page } = await openPage(lab);
  const downloading = page.waitForEvent('download');
  const outcome = await page.evaluate(async (content) => {
    const { store } = await openStore(content, 9 * MIB);
    globalThis.kept = store;
    const stream = () => new Blob([pattern(0, 5 * MIB + 7)]).stream();
    const saving = storage.save({ store, source: async () => ({ sizeBytes: 5 * MIB + 7, stream }), fileName: 'part', picker: false });
    await store.write(6 * MIB, pattern(0, MIB));
    return { ...(await saving), stillWrites: await store.write(0, new Uint8Array(1)).then(() => true) };
  }, ID);
  assert.deepEqual(outcome, { how: 'download', fileName: 'part', stillWrites: true });
  const saved = await readFile(await (await downloading).path());
  assert.equal(sha256(saved), sha256(pattern(0, 5 * MIB + 7)));
  await page.reload();
  await prepare(page);
  const left = await page.evaluate(async (content) => {
    await openStore(content, 9 * MIB);
    const all = await (await navigator.storage.getDirectory()).getDirectoryHandle('pleach');
    return Array.fromAsync((await all.getDirectoryHandle(content)).keys());
  }, ID);
  assert.deepEqual(left.sort(), ['about', 'data', 'record'], 'nothing of it is left for the next visit');
});

scenario('a part that ends early or does not fit is not saved', options, async (lab) => {
  const { page } = await openPage(lab);
  const faults = await page.evaluate(async (content) => {
    const { store } = await openStore(content, MIB);
    const save = (sizeBytes) => {
      const source = async () => ({ sizeBytes, stream: () => new Blob([new Uint8Array(99)]).stream() });
      return storage.save({ store, source, fileName: 'part', picker: false }).catch(({ code }) => code);
    };
    const { quota } = await navigator.storage.estimate();
    return [await save(100), await save(quota + 1e6)];
  }, ID);
  assert.deepEqual(faults, ['failed', 'no-space']);
});

scenario('the worker may come from another host', options, async (lab) => {
  const { page } = await openPage(lab);
  const elsewhere = await lab.serve(await lab.folder());
  const byte = await page.evaluate(
    async ({ content, workerUrl }) => {
      const { store } = await storage.OpfsStore.open({ content, sizeBytes: 100, name: '', quotaBytes: null, workerUrl });
      await store.write(50, Uint8Array.of(7));
      return (await store.read(50, 1))[0];
    },
    { content: ID, workerUrl: `${elsewhere.url}/storage/store-worker.js` },
  );
  assert.equal(byte, 7);
});

scenario('a worker that cannot be loaded is an error, not a wait', options, async (lab) => {
  const { page } = await openPage(lab);
  const code = await page.evaluate((content) => {
    return storage.OpfsStore.open({ content, sizeBytes: 100, name: '', quotaBytes: null, workerUrl: '/nowhere.js' }).catch(({ code }) => code);
  }, ID);
  assert.equal(code, 'failed');
});

function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}
