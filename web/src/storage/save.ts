/**
 * Saving a complete content as a file of the person's own, byte for byte.
 *
 * Where the browser has a file picker, the person chooses the place and the bytes are streamed there; the file appears
 * only when all of them are written. Elsewhere the browser's downloads take a `Blob` URL of the stored file. In both
 * ways nothing is held in memory, and a file is whole or is not there.
 */

import { StoreError, type ContentStore } from './store.js';

/** How much is written before progress is told. */
const STEP_BYTES = 4 * 1024 * 1024;

/** How long a download has to begin. The URL holds no memory, but it holds the stored file. */
const URL_MS = 10 * 60 * 1_000;

export interface SaveOptions {
  readonly store: ContentStore;
  /** As it is proposed to the person. Must be a mere name: see `fileName` in `store/names.ts`. */
  readonly fileName: string;
  /** Whether to ask where. Default: wherever the browser has a picker, which needs a click just before. */
  readonly picker?: boolean | undefined;
  /** Ends the writing; what the person chose is left as it was. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((savedBytes: number) => void) | undefined;
}

/** How a save ended; under which name, as far as the page is told. */
export type SaveOutcome =
  /** Written where the person chose. */
  | { readonly how: 'file'; readonly fileName: string }
  /** Handed to the browser's downloads. */
  | { readonly how: 'download'; readonly fileName: string }
  /** The person closed the picker, or `signal` fired. */
  | { readonly how: 'cancelled' };

type Picker = (options: { suggestedName: string }) => Promise<FileSystemFileHandle>;

/** Whether this browser can ask where to save. */
export function hasPicker(): boolean {
  return picker() !== undefined;
}

/** Saves. To be called when everything is verified: the store takes no writes after it. */
export async function save(options: SaveOptions): Promise<SaveOutcome> {
  try {
    options.signal?.throwIfAborted();
    const ask = (options.picker ?? true) ? picker() : undefined;
    return await (ask === undefined ? download(options) : writeWhereChosen(options, ask));
  } catch (error) {
    if (options.signal?.aborted || (error instanceof DOMException && error.name === 'AbortError')) {
      return { how: 'cancelled' };
    }
    throw error;
  }
}

function picker(): Picker | undefined {
  return (globalThis as { showSaveFilePicker?: Picker }).showSaveFilePicker?.bind(globalThis);
}

/** The picker comes first, before any wait: it opens only just after a click. */
async function writeWhereChosen({ store, fileName, signal, onProgress }: SaveOptions, ask: Picker): Promise<SaveOutcome> {
  const target = await ask({ suggestedName: fileName });
  const whole = await wholeFile(store);
  const stream = await target.createWritable();
  try {
    for (let at = 0; at < whole.size; at += STEP_BYTES) {
      signal?.throwIfAborted();
      await stream.write(whole.slice(at, at + STEP_BYTES));
      onProgress?.(Math.min(at + STEP_BYTES, whole.size));
    }
    await stream.close();
  } catch (error) {
    // What was chosen stays as it was: the bytes so far went to a file beside it.
    await stream.abort().catch(() => undefined);
    throw error;
  }
  return { how: 'file', fileName: target.name };
}

async function download({ store, fileName, onProgress }: SaveOptions): Promise<SaveOutcome> {
  const whole = await wholeFile(store);
  // Of no type that a browser would show: the content is a stranger's, and the URL is of this site.
  const url = URL.createObjectURL(whole.slice(0, whole.size, 'application/octet-stream'));
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = fileName;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), URL_MS);
  onProgress?.(whole.size);
  return { how: 'download', fileName };
}

async function wholeFile(store: ContentStore): Promise<Blob> {
  const whole = await store.file();
  if (whole.size === store.sizeBytes) return whole;
  const message = `The stored file has ${whole.size} bytes instead of ${store.sizeBytes}.`;
  throw new StoreError({ code: 'failed', message });
}
