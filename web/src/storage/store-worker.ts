/**
 * The worker that keeps one content in the origin private file system.
 *
 * `pleach/<content id>/data` holds the bytes at their offsets, `record` what the engine noted, `spool-N` what is on its
 * way to the browser's downloads; those that an earlier page left are removed. All are opened with synchronous access, which only workers have and which is the only fast way. A Web Lock names the tab that has the
 * content open; the handles are exclusive anyway, the lock lets a reloaded page wait for the one it replaces.
 *
 * Requests are handled strictly one after the other, so that a read sees every write before it.
 */

import type { NumberedRequest, StoreAnswers, StoreReply, StoreRequest } from './store-protocol.js';
import { estimateSpace, noSpace, StoreError, type StoreFault } from './store.js';
import type { SyncAccessHandle, SyncFileHandle } from './sync-access.js';

/** How long a page waits for another to let go: a page that is being reloaded does so within a moment. */
const LOCK_WAIT_MS = 1_500;

/** What is open. */
interface Opened {
  readonly content: string;
  readonly dataFile: SyncFileHandle;
  /** Ends when the file is asked for: then `sealed` is read instead. */
  data: SyncAccessHandle | undefined;
  sealed: File | undefined;
  readonly record: SyncAccessHandle;
  readonly folder: FileSystemDirectoryHandle;
  /** Those that are being written. */
  readonly spools: Map<number, SyncAccessHandle>;
  readonly unlock: () => void;
}

/** A dedicated worker's global scope, as far as it is used. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<readonly NumberedRequest[]>) => void) | null;
  postMessage(replies: readonly StoreReply[], transfer: Transferable[]): void;
  close(): void;
}

const scope = self as unknown as WorkerScope;
let opened: Opened | undefined;
let last: Promise<void> = Promise.resolve();

scope.onmessage = ({ data }) => {
  last = last.then(() => answerAll(data));
};

async function answerAll(batch: readonly NumberedRequest[]): Promise<void> {
  const replies: StoreReply[] = [];
  const transfer: Transferable[] = [];
  for (const { number, request } of batch) {
    try {
      const result = await handle(request);
      if (result instanceof Uint8Array) transfer.push(result.buffer);
      if (result instanceof ArrayBuffer) transfer.push(result);
      if (request.do !== 'appendRecord') replies.push({ number, result });
    } catch (error) {
      replies.push({ number, fault: await faultOf(error, request) });
    }
    // Nothing that follows can be answered.
    if (request.do === 'close' || request.do === 'remove') return end(replies, transfer);
  }
  scope.postMessage(replies, transfer);
}

function end(replies: readonly StoreReply[], transfer: Transferable[]): void {
  scope.postMessage(replies, transfer);
  scope.close();
}

async function handle(request: StoreRequest): Promise<StoreAnswers[keyof StoreAnswers]> {
  switch (request.do) {
    case 'open':
      return open(request.content, request.sizeBytes);
    case 'write':
      write(writable(), request.offset, request.bytes);
      return request.bytes.buffer;
    case 'read':
      return read(current(), request.offset, request.length);
    case 'appendRecord':
      return write(current().record, current().record.getSize(), request.bytes);
    case 'flush':
      return flush(current());
    case 'file':
      return seal(current());
    case 'openSpool':
      return openSpool(current(), request.spool, request.sizeBytes);
    case 'writeSpool':
      return writeSpool(current(), request.spool, request.bytes);
    case 'finishSpool':
      return finishSpool(current(), request.spool);
    case 'removeSpool':
      return removeSpool(current(), request.spool);
    case 'close':
      return close();
    case 'remove':
      return remove();
  }
}

async function open(content: string, sizeBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const unlock = await lock(content);
  const handles: SyncAccessHandle[] = [];
  const openFile = async (file: FileSystemFileHandle): Promise<SyncAccessHandle> => {
    const handle = await (file as SyncFileHandle).createSyncAccessHandle();
    handles.push(handle);
    return handle;
  };
  try {
    const folder = await contentFolder(content);
    const dataFile = (await folder.getFileHandle('data', { create: true })) as SyncFileHandle;
    const data = await openFile(dataFile);
    const record = await openFile(await folder.getFileHandle('record', { create: true }));
    await removeSpools(folder);
    await makeRoom(data, sizeBytes);
    opened = { content, dataFile, data, sealed: undefined, record, folder, spools: new Map(), unlock };
    const noted = new Uint8Array(record.getSize());
    record.read(noted, { at: 0 });
    return noted;
  } catch (error) {
    for (const handle of handles) handle.close();
    unlock();
    throw error;
  }
}

/** Takes the content's lock, and gives back how to let go of it. */
function lock(content: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(`pleach:${content}`, { signal: AbortSignal.timeout(LOCK_WAIT_MS) }, () => {
        return new Promise<void>((unlock) => resolve(unlock));
      })
      .catch((error: unknown) => {
        reject(nameOf(error) === 'TimeoutError' ? alreadyOpen() : error);
      });
  });
}

async function contentFolder(content: string): Promise<FileSystemDirectoryHandle> {
  const all = await (await navigator.storage.getDirectory()).getDirectoryHandle('pleach', { create: true });
  return all.getDirectoryHandle(content, { create: true });
}

/** Gives the file its full size at once, so that a lack of space is told at the start and not near the end. */
async function makeRoom(data: SyncAccessHandle, sizeBytes: number): Promise<void> {
  const presentBytes = data.getSize();
  if (presentBytes === sizeBytes) return;
  await assertSpace(sizeBytes - presentBytes);
  data.truncate(sizeBytes);
}

async function assertSpace(neededBytes: number): Promise<void> {
  const space = await estimateSpace();
  if (space !== undefined && neededBytes > space.availableBytes) {
    throw new StoreError(noSpace(neededBytes, space.availableBytes));
  }
}

const spoolName = (spool: number): string => `spool-${spool}`;

async function removeSpools(folder: FileSystemDirectoryHandle): Promise<void> {
  const names: string[] = [];
  for await (const name of folder.keys()) if (name.startsWith('spool-')) names.push(name);
  for (const name of names) await folder.removeEntry(name);
}

async function openSpool({ folder, spools }: Opened, spool: number, sizeBytes: number): Promise<undefined> {
  await assertSpace(sizeBytes);
  const file = (await folder.getFileHandle(spoolName(spool), { create: true })) as SyncFileHandle;
  spools.set(spool, await file.createSyncAccessHandle());
}

function writeSpool({ spools }: Opened, spool: number, bytes: Uint8Array): undefined {
  const handle = spools.get(spool);
  if (!handle) throw new StoreError({ code: 'closed', message: 'The file is not being written.' });
  return write(handle, handle.getSize(), bytes);
}

async function finishSpool({ folder, spools }: Opened, spool: number): Promise<File> {
  closeSpool(spools, spool);
  return (await folder.getFileHandle(spoolName(spool))).getFile();
}

async function removeSpool({ folder, spools }: Opened, spool: number): Promise<undefined> {
  closeSpool(spools, spool);
  await folder.removeEntry(spoolName(spool));
}

function closeSpool(spools: Map<number, SyncAccessHandle>, spool: number): void {
  spools.get(spool)?.close();
  spools.delete(spool);
}

function current(): Opened {
  if (opened === undefined) throw new StoreError({ code: 'closed', message: 'The store is closed.' });
  return opened;
}

function writable(): SyncAccessHandle {
  const { data } = current();
  if (data === undefined) throw new StoreError({ code: 'closed', message: 'The store is complete and read only.' });
  return data;
}

function write(handle: SyncAccessHandle, offset: number, bytes: Uint8Array): undefined {
  if (handle.write(bytes, { at: offset }) < bytes.length) throw new StoreError(noSpace(bytes.length, undefined));
}

async function read({ data, sealed }: Opened, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  if (sealed !== undefined) return new Uint8Array(await sealed.slice(offset, offset + length).arrayBuffer());
  const bytes = new Uint8Array(length);
  const got = data?.read(bytes, { at: offset }) ?? 0;
  return got === length ? bytes : bytes.slice(0, got);
}

function flush({ data, record }: Opened): undefined {
  data?.flush();
  record.flush();
}

/**
 * The file as a snapshot that the page can save and play. The handle is closed first: while it is open not every browser
 * gives out the file, and a snapshot is void as soon as the file changes.
 */
async function seal(store: Opened): Promise<File> {
  if (store.sealed === undefined) {
    store.data?.flush();
    store.data?.close();
    store.data = undefined;
    store.sealed = await store.dataFile.getFile();
  }
  return store.sealed;
}

function close(): undefined {
  if (opened === undefined) return;
  opened.data?.close();
  for (const handle of opened.spools.values()) handle.close();
  opened.record.flush();
  opened.record.close();
  opened.unlock();
  opened = undefined;
}

async function remove(): Promise<undefined> {
  const { content } = current();
  close();
  const all = await (await navigator.storage.getDirectory()).getDirectoryHandle('pleach');
  await all.removeEntry(content, { recursive: true });
}

/** Names what went wrong. */
async function faultOf(error: unknown, request: StoreRequest): Promise<StoreFault> {
  if (error instanceof StoreError) {
    const { code, message, neededBytes, availableBytes } = error;
    return { code, message, neededBytes, availableBytes };
  }
  switch (nameOf(error)) {
    case 'QuotaExceededError':
      return noSpace(neededBytes(request), (await estimateSpace())?.availableBytes);
    case 'NoModificationAllowedError':
      return alreadyOpen();
    case 'SecurityError':
    case 'NotSupportedError':
    case 'TypeError':
      return { code: 'unsupported', message: `This browser lets the page keep nothing: ${String(error)}` };
    default:
      return { code: 'failed', message: `The browser's storage failed: ${String(error)}` };
  }
}

function neededBytes(request: StoreRequest): number {
  if (request.do === 'open' || request.do === 'openSpool') return request.sizeBytes;
  return 'bytes' in request ? request.bytes.length : 0;
}

function alreadyOpen(): StoreError {
  return new StoreError({ code: 'already-open', message: 'This content is already open in another tab.' });
}

function nameOf(error: unknown): string {
  return error instanceof Error || error instanceof DOMException ? error.name : '';
}
