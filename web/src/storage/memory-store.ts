/**
 * A store in memory, for pages that have no lasting storage. A reload starts afresh.
 *
 * Content is kept in parts. A part that is full becomes a `Blob`, which browsers keep outside the page's heap and may
 * put on disk; the whole is then a `Blob` of `Blob`s, made without copying. A part costs memory only once something of
 * it is written.
 */

import { inMegabytes, StoreError, type ContentStore, type OpenedStore, type Spool } from './store.js';

/** The most that is kept. Above it a phone's browser would rather end the page. */
export const MEMORY_BYTES_MAX = 256 * 1024 * 1024;

const PART_BYTES = 4 * 1024 * 1024;

/** Being filled, or full. */
type Part = { readonly bytes: Uint8Array<ArrayBuffer>; filledBytes: number } | Blob;

export class MemoryStore implements ContentStore {
  readonly isLasting = false;
  readonly failure = undefined;
  readonly sizeBytes: number;
  #parts: (Part | undefined)[];
  #isClosed = false;

  private constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes;
    this.#parts = new Array<Part | undefined>(Math.ceil(sizeBytes / PART_BYTES));
  }

  /** Rejects with `too-large` above the limit. */
  static async open(options: { sizeBytes: number; limitBytes?: number }): Promise<OpenedStore<MemoryStore>> {
    const { sizeBytes, limitBytes = MEMORY_BYTES_MAX } = options;
    if (sizeBytes > limitBytes) throw tooLarge(sizeBytes, limitBytes);
    return { store: new MemoryStore(sizeBytes), record: undefined };
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#assertOpen();
    if (offset < 0 || offset + bytes.length > this.sizeBytes) throw new RangeError('a write beyond the content');
    for (let done = 0; done < bytes.length; ) {
      const index = Math.floor((offset + done) / PART_BYTES);
      const at = (offset + done) % PART_BYTES;
      const piece = bytes.subarray(done, done + PART_BYTES - at);
      this.#parts[index] = written(this.#parts[index], this.#partBytes(index), at, piece);
      done += piece.length;
    }
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    return this.readInto(offset, new Uint8Array(Math.max(0, Math.min(length, this.sizeBytes - offset))));
  }

  async readInto(offset: number, room: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    this.#assertOpen();
    const bytes = room.subarray(0, Math.max(0, this.sizeBytes - offset));
    for (let done = 0; done < bytes.length; ) {
      const index = Math.floor((offset + done) / PART_BYTES);
      const at = (offset + done) % PART_BYTES;
      const pieceBytes = Math.min(this.#partBytes(index) - at, bytes.length - done);
      bytes.set(await piece(this.#parts[index], at, pieceBytes), done);
      done += pieceBytes;
    }
    return bytes;
  }

  /** There is no later run that could read it. */
  appendRecord(): void {}

  noteHeld(): void {}

  async file(): Promise<Blob> {
    this.#assertOpen();
    return new Blob(this.#parts.map((part, index) => asBlob(part, this.#partBytes(index))));
  }

  /** As large as a content at most. Each piece becomes a `Blob` at once. */
  async spool(sizeBytes: number): Promise<Spool> {
    if (sizeBytes > MEMORY_BYTES_MAX) throw tooLarge(sizeBytes, MEMORY_BYTES_MAX);
    let pieces: Blob[] = [];
    return {
      write: async (bytes) => void pieces.push(new Blob([new Uint8Array(bytes)])),
      finish: async () => new Blob(pieces),
      remove: async () => void (pieces = []),
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#parts = [];
  }

  remove(): Promise<void> {
    return this.close();
  }

  #partBytes(index: number): number {
    return Math.min(PART_BYTES, this.sizeBytes - index * PART_BYTES);
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new StoreError({ code: 'closed', message: 'The store is closed.' });
  }
}

function tooLarge(neededBytes: number, availableBytes: number): StoreError {
  return new StoreError({
    code: 'too-large',
    message:
      `This page has no lasting storage, and ${inMegabytes(neededBytes)} are more than the ` +
      `${inMegabytes(availableBytes)} that it keeps in memory.`,
    neededBytes,
    availableBytes,
  });
}

/** The part with the bytes written; a `Blob` once everything of it was. */
function written(part: Part | undefined, partBytes: number, at: number, bytes: Uint8Array): Part {
  if (part instanceof Blob) {
    return new Blob([part.slice(0, at), new Uint8Array(bytes), part.slice(at + bytes.length)]);
  }
  const open = part ?? { bytes: new Uint8Array(partBytes), filledBytes: 0 };
  open.bytes.set(bytes, at);
  open.filledBytes += bytes.length;
  // Bytes written twice count twice and seal the part early; writing to a sealed part is dearer and still right.
  return open.filledBytes >= partBytes ? new Blob([open.bytes]) : open;
}

async function piece(part: Part | undefined, at: number, length: number): Promise<Uint8Array> {
  if (part === undefined) return new Uint8Array(length);
  if (part instanceof Blob) return new Uint8Array(await part.slice(at, at + length).arrayBuffer());
  return part.bytes.subarray(at, at + length);
}

function asBlob(part: Part | undefined, partBytes: number): Blob {
  if (part instanceof Blob) return part;
  return new Blob([part?.bytes ?? new Uint8Array(partBytes)]);
}
