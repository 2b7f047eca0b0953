/**
 * Saving as files of the person's own, byte for byte: a part of the content, or what is made of it.
 *
 * Where the browser has a file picker, the person chooses the place and the bytes are streamed there; the file appears
 * only when all of them are written. Elsewhere the browser's downloads take a `Blob` URL: of the stored file where
 * nothing writes to it any more, else of a file beside it to which the bytes are copied. In all ways nothing is held in
 * memory, and a file is whole or is not there.
 */

import { StoreError, type ContentStore } from './store.js';

/** How much is written before progress is told. */
const STEP_BYTES = 4 * 1024 * 1024;

/** Pieces shorter than this are gathered before they are written: a ZIP of many small files has three a file. */
const GATHER_BYTES = 64 * 1024;

/** How long a download has to begin. The URL holds no memory, but it holds the stored file. */
const URL_MS = 10 * 60 * 1_000;

/** What becomes a file. */
export interface SaveSource {
  readonly sizeBytes: number;
  /** The bytes as they lie there, without a copy; `undefined` while they are still being written. */
  readonly blob?: Blob | undefined;
  /** The bytes in order, as they come. Fails rather than ends early. With `isLent` a piece is good until the next is asked for. */
  readonly stream: (signal: AbortSignal, isLent?: boolean) => ReadableStream<Uint8Array>;
}

interface Common {
  /** Where it goes on its way to the downloads. */
  readonly store: Pick<ContentStore, 'spool'>;
  /** Whether to ask where. Default: wherever the browser has a picker, which needs a click just before. */
  readonly picker?: boolean | undefined;
  /** Ends the writing; what the person chose is left as it was. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((savedBytes: number) => void) | undefined;
}

export interface SaveOptions extends Common {
  /** Asked for after the picker, which must come first. */
  readonly source: () => Promise<SaveSource>;
  /** As it is proposed to the person. Must be a mere name: see `fileName` in `store/names.ts`. */
  readonly fileName: string;
}

export interface SaveFolderOptions extends Pick<Common, 'signal' | 'onProgress'> {
  /** What the new folder is called. */
  readonly folderName: string;
  /** Relative paths, each component a mere name; no two alike. */
  readonly files: () => Promise<readonly { readonly path: string; readonly source: SaveSource }[]>;
}

/** How a save ended; under which name, as far as the page is told. */
export type SaveOutcome =
  /** Written where the person chose. */
  | { readonly how: 'file'; readonly fileName: string }
  /** Handed to the browser's downloads. */
  | { readonly how: 'download'; readonly fileName: string }
  /** Written into a new folder where the person chose. */
  | { readonly how: 'folder'; readonly fileName: string }
  /** The person closed the picker, or `signal` fired. */
  | { readonly how: 'cancelled' };

interface Pickers {
  readonly showSaveFilePicker?: (options: { suggestedName: string }) => Promise<FileSystemFileHandle>;
  readonly showDirectoryPicker?: (options: { mode: 'readwrite' }) => Promise<FileSystemDirectoryHandle>;
}

const pickers = (): Pickers => globalThis as Pickers;

/** Whether this browser can ask for a folder to write to. */
export function hasFolderPicker(): boolean {
  return pickers().showDirectoryPicker !== undefined;
}

/** Saves one file. */
export function save(options: SaveOptions): Promise<SaveOutcome> {
  const asks = (options.picker ?? true) && pickers().showSaveFilePicker !== undefined;
  return unlessCancelled(options, () => (asks ? writeWhereChosen(options) : download(options)));
}

/** Saves many files into a new folder; only where there is a picker for folders. Those that were whole stay. */
export function saveFolder(options: SaveFolderOptions): Promise<SaveOutcome> {
  return unlessCancelled(options, () => writeFolder(options));
}

async function unlessCancelled({ signal }: Pick<Common, 'signal'>, run: () => Promise<SaveOutcome>): Promise<SaveOutcome> {
  try {
    signal?.throwIfAborted();
    return await run();
  } catch (error) {
    if (signal?.aborted || (error instanceof DOMException && error.name === 'AbortError')) return { how: 'cancelled' };
    throw error;
  }
}

/** The picker comes first, before any wait: it opens only just after a click. */
async function writeWhereChosen({ source, fileName, signal, onProgress }: SaveOptions): Promise<SaveOutcome> {
  const target = await pickers().showSaveFilePicker?.({ suggestedName: fileName });
  if (!target) throw new TypeError('there is no picker');
  await writeTo(target, await source(), signal, onProgress);
  return { how: 'file', fileName: target.name };
}

async function writeFolder({ folderName, files, signal, onProgress }: SaveFolderOptions): Promise<SaveOutcome> {
  const parent = await pickers().showDirectoryPicker?.({ mode: 'readwrite' });
  if (!parent) throw new TypeError('there is no picker');
  const folder = await newFolder(parent, folderName);
  let savedBytes = 0;
  for (const { path, source } of await files()) {
    signal?.throwIfAborted();
    const target = await makeFile(folder, path.split('/'));
    await writeTo(target, source, signal, (bytes) => onProgress?.(savedBytes + bytes));
    savedBytes += source.sizeBytes;
    onProgress?.(savedBytes);
  }
  return { how: 'folder', fileName: folder.name };
}

/** How many folders of one name are counted up. */
const NAMESAKES_MAX = 100;

/** A folder that was not there before: nothing of the person's own is written over. */
async function newFolder(parent: FileSystemDirectoryHandle, name: string): Promise<FileSystemDirectoryHandle> {
  for (let count = 1; count <= NAMESAKES_MAX; count += 1) {
    const candidate = count === 1 ? name : `${name} (${count})`;
    if (!(await isThere(parent, candidate))) return parent.getDirectoryHandle(candidate, { create: true });
  }
  throw new Error(`There are ${NAMESAKES_MAX} folders of that name already.`);
}

async function isThere(parent: FileSystemDirectoryHandle, name: string): Promise<boolean> {
  try {
    await parent.getDirectoryHandle(name);
    return true;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotFoundError') return false;
    if (error instanceof DOMException && error.name === 'TypeMismatchError') return true;
    throw error;
  }
}

async function makeFile(folder: FileSystemDirectoryHandle, path: readonly string[]): Promise<FileSystemFileHandle> {
  let place = folder;
  for (const name of path.slice(0, -1)) place = await place.getDirectoryHandle(name, { create: true });
  return place.getFileHandle(path.at(-1) ?? '', { create: true });
}

async function writeTo(
  target: FileSystemFileHandle,
  source: SaveSource,
  signal: AbortSignal | undefined,
  onProgress: Common['onProgress'],
): Promise<void> {
  const stream = await target.createWritable();
  try {
    await copy(source, signal, onProgress, (piece) => stream.write(piece));
    await stream.close();
  } catch (error) {
    // What was chosen stays as it was: the bytes so far went to a file beside it.
    await stream.abort().catch(() => undefined);
    throw error;
  }
}

async function download(options: SaveOptions): Promise<SaveOutcome> {
  const { fileName, onProgress } = options;
  const source = await options.source();
  if (source.blob) {
    handOver(whole(source.blob, source.sizeBytes), fileName, () => {});
    onProgress?.(source.sizeBytes);
  } else {
    await spoolAndHandOver(source, options);
  }
  return { how: 'download', fileName };
}

async function spoolAndHandOver(source: SaveSource, { store, fileName, signal, onProgress }: SaveOptions): Promise<void> {
  const spool = await store.spool(source.sizeBytes);
  const remove = (): void => void spool.remove().catch(() => undefined);
  try {
    await copy(source, signal, onProgress, async (piece) => {
      await spool.write(piece instanceof Blob ? new Uint8Array(await piece.arrayBuffer()) : piece);
    });
    handOver(whole(await spool.finish(), source.sizeBytes), fileName, remove);
  } catch (error) {
    remove();
    throw error;
  }
}

function handOver(blob: Blob, fileName: string, after: () => void): void {
  // Of no type that a browser would show: the content is a stranger's, and the URL is of this site.
  const url = URL.createObjectURL(blob.slice(0, blob.size, 'application/octet-stream'));
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = fileName;
  anchor.click();
  setTimeout(() => {
    URL.revokeObjectURL(url);
    after();
  }, URL_MS);
}

type Piece = Blob | Uint8Array<ArrayBuffer>;

/** Writes all of the source, or throws. */
async function copy(
  source: SaveSource,
  signal: AbortSignal | undefined,
  onProgress: Common['onProgress'],
  write: (piece: Piece) => Promise<void>,
): Promise<void> {
  let savedBytes = 0;
  for await (const piece of gathered(pieces(source, signal))) {
    signal?.throwIfAborted();
    await write(piece);
    savedBytes += piece instanceof Blob ? piece.size : piece.length;
    onProgress?.(savedBytes);
  }
  assertWhole(savedBytes, source.sizeBytes);
}

/** The same bytes in order, in pieces of some length. */
export async function* gathered(pieces: AsyncIterable<Piece>): AsyncGenerator<Piece> {
  let room = new Uint8Array(GATHER_BYTES);
  let filled = 0;
  for await (const piece of pieces) {
    const isShort = !(piece instanceof Blob) && piece.length < GATHER_BYTES;
    if (filled > 0 && (!isShort || filled + piece.length > GATHER_BYTES)) {
      yield room.subarray(0, filled);
      // Who writes may keep what it was given.
      room = new Uint8Array(GATHER_BYTES);
      filled = 0;
    }
    if (!isShort) {
      yield piece;
      continue;
    }
    room.set(piece, filled);
    filled += piece.length;
  }
  if (filled > 0) yield room.subarray(0, filled);
}

async function* pieces({ blob, sizeBytes, stream }: SaveSource, signal: AbortSignal | undefined): AsyncGenerator<Piece> {
  if (blob) {
    for (let at = 0; at < sizeBytes; at += STEP_BYTES) yield blob.slice(at, Math.min(at + STEP_BYTES, sizeBytes));
    return;
  }
  // What the stream is made of ends with it too, whatever the reason.
  const ended = new AbortController();
  const end = (): void => ended.abort(signal?.reason);
  signal?.addEventListener('abort', end);
  try {
    // Each piece is written, or copied by `gathered`, before the next is asked for.
    const reader = stream(ended.signal, true).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value as Uint8Array<ArrayBuffer>;
  } finally {
    signal?.removeEventListener('abort', end);
    end();
  }
}

function whole(blob: Blob, sizeBytes: number): Blob {
  assertWhole(blob.size, sizeBytes);
  return blob;
}

function assertWhole(bytes: number, sizeBytes: number): void {
  if (bytes === sizeBytes) return;
  throw new StoreError({ code: 'failed', message: `The stored file has ${bytes} bytes instead of ${sizeBytes}.` });
}
