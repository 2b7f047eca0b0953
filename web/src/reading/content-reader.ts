/**
 * Reads of a content while it comes: verified bytes in order, each as soon as it is there.
 *
 * ```text
 * writes ─► what is there ─► readers that wait ─► bytes, as fast as they are taken
 *                                  └─► what is wanted first ─► engine
 * ```
 *
 * A reader holds one piece at most, and takes the next when that one was taken. What readers lack is told to the engine as
 * what is wanted first: who plays before who saves, savers in the order in which they came. Of players the newest goes
 * first (a seek is a new read), or one that waited later; browsers keep others open, of which they may never read again,
 * so these want something only while they wait.
 */

import type { Want } from '../../pkg/pleach_browser.js';
import { Ranges, type Range } from './ranges.js';

export interface ReadOptions {
  /** Ends the read; the stream fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Somebody watches: goes before reads that only save. */
  readonly playing?: boolean | undefined;
  /** A piece is used up before the next is asked for: it need not be a copy. */
  readonly isLent?: boolean | undefined;
  /** Gives the place where the next piece goes, no longer than that. Its buffer is given away, and comes with the piece. */
  readonly room?: (() => Uint8Array<ArrayBuffer>) | undefined;
  /** Asked each time that wants are told. Default: all at once. */
  readonly bytesPerS?: (() => number | null) | undefined;
}

export interface ReaderParts {
  readonly sizeBytes: number;
  /** Bytes that are there; see `ContentStore.read`. */
  readonly read: (offset: number, length: number) => Promise<Uint8Array>;
  /** The same; see `ContentStore.readInto`. */
  readonly readInto: (offset: number, room: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;
  /** See `PleachPeer.heldUntil`. */
  readonly heldUntil: (start: number) => number;
  /** See `PleachPeer.want`. */
  readonly want: (wants: Want[]) => void;
}

/** As many as the engine takes. Readers beyond are served, but do not say what they want. */
export const WANTS_MAX = 16;
/** How much is read at once, where the reader gives no room of its own. */
const PIECE_BYTES = 256 * 1024;
/** After so much was read, the engine is told where the reader is now. */
const TELL_BYTES = 4 * 1024 * 1024;

interface Reader {
  at: number;
  readonly end: number;
  readonly options: ReadOptions;
  /** Where it was when the engine was told last. */
  toldAt: number;
  /** Set while it waits for the byte at `at`. */
  wake: (() => void) | null;
}

export class ContentReader {
  readonly #parts: ReaderParts;
  readonly #there = new Ranges();
  /** Players first, the newest or the last to wait before; then savers, the oldest before. */
  #readers: Reader[] = [];
  #ended: Error | null = null;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
  }

  get sizeBytes(): number {
    return this.#parts.sizeBytes;
  }

  /** These bytes are verified and written. */
  note(start: number, end: number): void {
    this.#there.add(start, end);
    for (const reader of this.#readers) {
      if (reader.at >= start && reader.at < end) reader.wake?.();
    }
  }

  /** Nothing comes any more: who waits for more fails with this. What is there can still be read. */
  end(reason: Error): void {
    this.#ended = reason;
    for (const reader of this.#readers) reader.wake?.();
  }

  /** Up to where the content is there without a gap from `start` on. */
  until(start: number): number {
    const noted = this.#there.until(start);
    const held = this.#ended || noted >= this.#parts.sizeBytes ? noted : this.#parts.heldUntil(noted);
    if (held > noted) this.#there.add(noted, held);
    return this.#there.until(start);
  }

  /** How many bytes of each part are there. Parts are in order. */
  bytesIn(parts: readonly Range[]): Float64Array {
    return this.#there.bytesIn(parts);
  }

  /** Tells the engine anew what is wanted, because a pace is another. */
  tell(): void {
    const missing = this.#readers.map((reader) => this.#wantOf(reader)).filter((want) => want !== null);
    this.#parts.want(missing.slice(0, WANTS_MAX));
  }

  read(start: number, end: number, options: ReadOptions = {}): ReadableStream<Uint8Array> {
    if (!(start >= 0 && start <= end && end <= this.#parts.sizeBytes)) throw new RangeError('a read beyond the content');
    const reader: Reader = { at: start, end, options, toldAt: start, wake: null };
    const { signal } = options;
    const onAbort = (): void => reader.wake?.();
    const leave = (): void => {
      signal?.removeEventListener('abort', onAbort);
      if (!this.#readers.includes(reader)) return;
      this.#readers = this.#readers.filter((other) => other !== reader);
      this.tell();
    };
    return new ReadableStream(
      {
        start: () => {
          signal?.addEventListener('abort', onAbort);
          this.#readers = options.playing ? [reader, ...this.#readers] : [...this.#readers, reader];
          this.tell();
        },
        pull: async (controller) => {
          try {
            const bytes = await this.#next(reader);
            if (bytes) return controller.enqueue(bytes);
            leave();
            controller.close();
          } catch (error) {
            leave();
            throw error;
          }
        },
        cancel: () => {
          reader.wake?.();
          leave();
        },
      },
      // Nothing is read ahead: what is not taken may never be.
      { highWaterMark: 0 },
    );
  }

  /** The next piece, or `null` at the end. */
  async #next(reader: Reader): Promise<Uint8Array | null> {
    const { signal } = reader.options;
    signal?.throwIfAborted();
    if (reader.at >= reader.end) return null;
    const there = await this.#waitFor(reader);
    const bytes = await this.#piece(reader, Math.min(there, reader.end) - reader.at);
    signal?.throwIfAborted();
    reader.at += bytes.length;
    if (reader.at - reader.toldAt >= TELL_BYTES) this.tell();
    return bytes;
  }

  async #piece({ at, options }: Reader, bytesMax: number): Promise<Uint8Array> {
    const room = options.room?.();
    const length = Math.min(bytesMax, room?.length ?? PIECE_BYTES);
    const bytes = await (room ? this.#parts.readInto(at, room.subarray(0, length)) : this.#parts.read(at, length));
    if (bytes.length !== length) throw new Error(`the store gave ${bytes.length} bytes instead of ${length}`);
    return bytes;
  }

  /** Until the reader's byte is there; gives up to where the bytes after it are. */
  async #waitFor(reader: Reader): Promise<number> {
    for (;;) {
      const there = this.until(reader.at);
      if (there > reader.at) return there;
      if (this.#ended) throw this.#ended;
      const woken = new Promise<void>((wake) => (reader.wake = wake));
      if (reader.options.playing && this.#readers[0] !== reader) this.#toFront(reader);
      await woken;
      reader.wake = null;
      reader.options.signal?.throwIfAborted();
      if (!this.#readers.includes(reader)) throw new DOMException('the read was cancelled', 'AbortError');
    }
  }

  #toFront(reader: Reader): void {
    this.#readers = [reader, ...this.#readers.filter((other) => other !== reader)];
    this.tell();
  }

  #wantOf(reader: Reader): Want | null {
    reader.toldAt = reader.at;
    if (reader.options.playing && reader.wake === null && reader !== this.#readers[0]) return null;
    const start = this.until(reader.at);
    return start < reader.end ? { start, end: reader.end, bytesPerS: reader.options.bytesPerS?.() ?? null } : null;
  }
}
