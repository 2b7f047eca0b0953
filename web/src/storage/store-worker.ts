/**
 * The worker that keeps one content in the origin private file system.
 *
 * `pleach/<content id>/data` holds the bytes at their offsets, `record` what the engine noted, `about` what people see of
 * it (`kept.ts`), `spool-N` what is on its way to the browser's downloads; those that an earlier page left are removed. All
 * are opened with synchronous access, which only workers have and which is the only fast way. A Web Lock names the tab that
 * has the content open; the handles are exclusive anyway, the lock lets a reloaded page wait for the one it replaces. Who has
 * all of it shares it with another tab that wants it (`content-lock.ts`): both only read then.
 *
 * Requests are handled strictly one after the other, so that a read sees every write before it.
 */

import { shareLock, takeLock, type ContentLock } from './content-lock.js';
import { formatAbout, readAbout, withRoom, type About } from './kept.js';
import type { NumberedRequest, StoreAnswers, StoreReply, StoreRequest } from './store-protocol.js';
import { estimateSpace, noSpace, StoreError, type StoreFault, type StorePlace } from './store.js';
import type { SyncAccessHandle, SyncFileHandle } from './sync-access.js';

/** A file beside the content, of full size from the start, and how far it is written. */
interface OpenSpool {
  readonly handle: SyncAccessHandle;
  endBytes: number;
}

/** What is open. */
interface Opened {
  readonly content: string;
  /** As it is now; as it was noted when so much was there. */
  about: About;
  notedBytes: number;
  readonly dataFile: SyncFileHandle;
  /** Ends when the file is asked for: then `sealed` is read instead. */
  data: SyncAccessHandle | undefined;
  sealed: File | undefined;
  /** Ends when others read the content too. */
  record: SyncAccessHandle | undefined;
  readonly folder: FileSystemDirectoryHandle;
  /** Those that are being written. */
  readonly spools: Map<number, OpenSpool>;
  lock: ContentLock;
  /** All of it is there, and verified. */
  isWhole: boolean;
}

/** A dedicated worker's global scope, as far as it is used. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<readonly NumberedRequest[]>) => void) | null;
  postMessage(replies: readonly StoreReply[], transfer: Transferable[]): void;
  close(): void;
}

const scope = self as unknown as WorkerScope;
let opened: Opened | undefined;
/** Another tab wants the same content. */
let isWanted = false;
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
      if (request.do !== 'appendRecord' && request.do !== 'noteHeld') replies.push({ number, result });
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
      return open(request);
    case 'write':
      write(writable(), request.offset, request.bytes);
      await noteHeld(current(), current().about.heldBytes + request.bytes.length);
      return request.bytes.buffer;
    case 'read':
      return read(current(), request.offset, request.length);
    case 'readInto':
      return readInto(current(), request.offset, request.bytes);
    case 'appendRecord':
      return appendRecord(current(), request.bytes);
    case 'noteHeld':
      current().isWhole ||= request.heldBytes >= current().about.sizeBytes;
      await noteHeld(current(), request.heldBytes);
      return shareIfWanted();
    case 'flush':
      return flush(current());
    case 'file':
      return seal(current());
    case 'openSpool':
      return openSpool(current(), request.spool, request.sizeBytes);
    case 'writeSpool':
      writeSpool(current(), request.spool, request.bytes);
      return request.bytes.buffer;
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

async function open(place: StorePlace): Promise<Uint8Array<ArrayBuffer>> {
  const lock = await takeLock(place.content, () => {
    isWanted = true;
    last = last.then(shareIfWanted).catch((error: unknown) => console.warn('Pleach could not share what it keeps with another tab:', error));
  });
  if (!lock) throw alreadyOpen();
  return lock.isShared ? openShared(place, lock) : openAlone(place, lock);
}

async function openAlone({ content, sizeBytes, name, page, quotaBytes }: StorePlace, lock: ContentLock): Promise<Uint8Array<ArrayBuffer>> {
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
    await takeRoom(content, data, sizeBytes, quotaBytes);
    const noted = new Uint8Array(record.getSize());
    record.read(noted, { at: 0 });
    // Without a record nothing is found again.
    const heldBytes = noted.length > 0 ? ((await readAbout(folder))?.heldBytes ?? 0) : 0;
    const about = { name, page, sizeBytes, heldBytes, lastUsedMs: Date.now() };
    opened = { content, about, notedBytes: heldBytes, dataFile, data, sealed: undefined, record, folder, spools: new Map(), lock, isWhole: false };
    await writeAbout(opened);
    return noted;
  } catch (error) {
    const isNew = handles.every((handle) => handle.getSize() === 0);
    for (const handle of handles) handle.close();
    // Nothing was kept, so there is nothing to list.
    if (isNew) await forget(content).catch(() => undefined);
    lock.release();
    throw error;
  }
}

/** Another tab has all of it: it is read as it lies there. */
async function openShared({ content, sizeBytes, name, page }: StorePlace, lock: ContentLock): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const folder = await contentFolder(content);
    const dataFile = (await folder.getFileHandle('data')) as SyncFileHandle;
    const sealed = await dataFile.getFile();
    const record = await (await folder.getFileHandle('record')).getFile();
    const about = { name, page, sizeBytes, heldBytes: sizeBytes, lastUsedMs: Date.now() };
    opened = { content, about, notedBytes: sizeBytes, dataFile, data: undefined, sealed, record: undefined, folder, spools: new Map(), lock, isWhole: true };
    return new Uint8Array(await record.arrayBuffer());
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Nothing is written any more to what is whole, so that others may read it. */
async function shareIfWanted(): Promise<undefined> {
  if (!opened?.isWhole || !isWanted || opened.lock.isShared) return;
  await seal(opened);
  opened.record?.flush();
  opened.record?.close();
  opened.record = undefined;
  opened.lock = await shareLock(opened.content, opened.lock);
}

async function contentFolder(content: string): Promise<FileSystemDirectoryHandle> {
  const all = await (await navigator.storage.getDirectory()).getDirectoryHandle('pleach', { create: true });
  return all.getDirectoryHandle(content, { create: true });
}

/** Gives the file its full size at once, so that a lack of space is told at the start and not near the end. */
async function takeRoom(content: string, data: SyncAccessHandle, sizeBytes: number, quotaBytes: number | null): Promise<void> {
  const moreBytes = sizeBytes - data.getSize();
  if (moreBytes === 0) return;
  await withRoom({ content, moreBytes, isKept: true, quotaBytes }, () => data.truncate(sizeBytes));
}

/** How much more there has to be before it is noted while it comes. */
const NOTE_BYTES = 16 * 1024 * 1024;

async function noteHeld(store: Opened, heldBytes: number): Promise<undefined> {
  const { about } = store;
  store.about = { ...about, heldBytes: Math.min(heldBytes, about.sizeBytes) };
  if (Math.abs(heldBytes - store.notedBytes) < NOTE_BYTES && heldBytes < about.sizeBytes) return;
  if (store.about.heldBytes !== store.notedBytes) await writeAbout(store);
}

/** Only people need it: where it can't be written, the list knows less. */
async function writeAbout(store: Opened): Promise<void> {
  store.about = { ...store.about, lastUsedMs: Date.now() };
  store.notedBytes = store.about.heldBytes;
  try {
    const file = (await store.folder.getFileHandle('about', { create: true })) as SyncFileHandle;
    const handle = await file.createSyncAccessHandle();
    try {
      const bytes = new TextEncoder().encode(formatAbout(store.about));
      handle.truncate(0);
      handle.write(bytes, { at: 0 });
    } finally {
      handle.close();
    }
  } catch (error) {
    console.warn('Pleach could not note what it keeps:', error);
  }
}

/** Another tab may have the same content open. */
const tab = crypto.randomUUID();
const spoolName = (spool: number): string => `spool-${tab}-${spool}`;

async function removeSpools(folder: FileSystemDirectoryHandle): Promise<void> {
  const names: string[] = [];
  for await (const name of folder.keys()) if (name.startsWith('spool-')) names.push(name);
  for (const name of names) await folder.removeEntry(name);
}

async function openSpool({ content, folder, spools }: Opened, spool: number, sizeBytes: number): Promise<undefined> {
  await withRoom({ content, moreBytes: sizeBytes, isKept: false, quotaBytes: null }, async () => {
    const file = (await folder.getFileHandle(spoolName(spool), { create: true })) as SyncFileHandle;
    const handle = await file.createSyncAccessHandle();
    try {
      handle.truncate(sizeBytes);
    } catch (error) {
      handle.close();
      await folder.removeEntry(spoolName(spool));
      throw error;
    }
    spools.set(spool, { handle, endBytes: 0 });
  });
}

function writeSpool({ spools }: Opened, spool: number, bytes: Uint8Array): undefined {
  const open = spools.get(spool);
  if (!open) throw new StoreError({ code: 'closed', message: 'The file is not being written.' });
  write(open.handle, open.endBytes, bytes);
  open.endBytes += bytes.length;
}

async function finishSpool({ folder, spools }: Opened, spool: number): Promise<File> {
  const open = spools.get(spool);
  open?.handle.truncate(open.endBytes);
  closeSpool(spools, spool);
  return (await folder.getFileHandle(spoolName(spool))).getFile();
}

async function removeSpool({ folder, spools }: Opened, spool: number): Promise<undefined> {
  closeSpool(spools, spool);
  await folder.removeEntry(spoolName(spool));
}

function closeSpool(spools: Map<number, OpenSpool>, spool: number): void {
  spools.get(spool)?.handle.close();
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

/** Who only reads has nothing to note. */
function appendRecord({ record }: Opened, bytes: Uint8Array): undefined {
  if (record) write(record, record.getSize(), bytes);
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

async function readInto(store: Opened, offset: number, room: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  if (store.sealed === undefined) return room.subarray(0, store.data?.read(room, { at: offset }) ?? 0);
  // A file gives its bytes in buffers of its own only.
  const bytes = await read(store, offset, room.length);
  room.set(bytes);
  return room.subarray(0, bytes.length);
}

function flush({ data, record }: Opened): undefined {
  data?.flush();
  record?.flush();
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

async function close(): Promise<undefined> {
  if (opened === undefined) return;
  await writeAbout(opened);
  opened.data?.close();
  for (const { handle } of opened.spools.values()) handle.close();
  opened.record?.flush();
  opened.record?.close();
  opened.lock.release();
  opened = undefined;
}

async function remove(): Promise<undefined> {
  const { content } = current();
  await close();
  await forget(content);
}

async function forget(content: string): Promise<void> {
  const all = await (await navigator.storage.getDirectory()).getDirectoryHandle('pleach');
  await all.removeEntry(content, { recursive: true });
}

/** Names what went wrong. */
async function faultOf(error: unknown, request: StoreRequest): Promise<StoreFault> {
  if (error instanceof StoreError) return plain(error);
  switch (nameOf(error)) {
    case 'QuotaExceededError':
      return noSpace(neededBytes(request), (await estimateSpace())?.availableBytes);
    case 'NoModificationAllowedError':
      return plain(alreadyOpen());
    case 'SecurityError':
    case 'NotSupportedError':
    case 'TypeError':
      return { code: 'unsupported', message: `This browser lets the page keep nothing: ${String(error)}` };
    default:
      return { code: 'failed', message: `The browser's storage failed: ${String(error)}` };
  }
}

/** An error that crosses to the page loses what is its own. */
function plain({ code, message, neededBytes, availableBytes }: StoreError): StoreFault {
  return { code, message, neededBytes, availableBytes };
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
