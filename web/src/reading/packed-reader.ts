/**
 * Reads of the files that packed content is made of, while it comes.
 *
 * ```text
 * a read of the files ─► which segment ─► its bytes, from `ContentReader` ─► decoded ─► the part that was asked for
 * ```
 *
 * What is not there is wanted by the read below, of the whole stretch at once, so seeking and saving have the order that
 * they have with plain content. A read holds one segment, 4 MiB at most, which is read, decoded and kept in one buffer; the
 * last decoded ones are kept, since a player asks for many small stretches beside each other. The buffer of one that goes
 * is used again: browsers are slow to collect what was passed between threads, and let 64 MiB and more of it gather.
 */

import type { PackedContent } from '../packing/packed-content.js';
import type { SegmentPlace } from '../packing/protocol.js';
import type { ContentReader, ReadOptions } from './content-reader.js';

/** How much is given at once. */
const PIECE_BYTES = 256 * 1024;
/** Decoded bytes that are kept; the ones not used for longest go first. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024;

/** A decoded one. Others read it too, so it is not changed while somebody is in it. */
interface Segment {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readers: number;
}

export class PackedReader {
  readonly #content: Pick<ContentReader, 'read' | 'bytesIn'>;
  readonly #packed: PackedContent;
  /** The one used last is last. */
  readonly #kept = new Map<number, Segment>();
  /** For the next segment. */
  #spare = new ArrayBuffer(0);

  constructor(content: Pick<ContentReader, 'read' | 'bytesIn'>, packed: PackedContent) {
    this.#content = content;
    this.#packed = packed;
  }

  /** How much is there of each file: as much as of the segments that it is in. */
  filesHeld(): Float64Array {
    const { files } = this.#packed.info;
    const there = this.#content.bytesIn(files.map(({ packedStart, packedEnd }) => ({ start: packedStart, end: packedEnd })));
    return there.map((bytes, at) => {
      const { start, end, packedStart, packedEnd } = files[at] as (typeof files)[number];
      return packedEnd > packedStart ? Math.floor(((end - start) * bytes) / (packedEnd - packedStart)) : 0;
    });
  }

  read(start: number, end: number, options: ReadOptions = {}): ReadableStream<Uint8Array> {
    const { sizeBytes } = this.#packed.info;
    if (!(start >= 0 && start <= end && end <= sizeBytes)) throw new RangeError('a read beyond the files');
    const below = new Below(this.#content, this.#scaled(options), (bytes) => this.#buffer(bytes));
    let at = start;
    let place: SegmentPlace | null = null;
    let segment: Segment | null = null;
    const leave = (): Promise<void> => {
      if (segment) segment.readers -= 1;
      segment = null;
      return below.close();
    };
    return new ReadableStream(
      {
        pull: async (controller) => {
          try {
            options.signal?.throwIfAborted();
            if (at >= end) {
              await leave();
              return controller.close();
            }
            if (!place || !segment || at >= place.end) {
              if (segment) segment.readers -= 1;
              segment = null;
              place = await this.#packed.segmentAt(at);
              segment = await this.#enter(place, below, end);
            }
            const { bytes } = segment;
            const from = at - place.start;
            const until = Math.min(end - place.start, bytes.length, from + PIECE_BYTES);
            if (until <= from) throw new Error('a segment is shorter than its index says');
            at += until - from;
            // A copy: others read what is kept, and its buffer is used again when this reader has left it.
            controller.enqueue(options.isLent ? bytes.subarray(from, until) : bytes.slice(from, until));
          } catch (error) {
            await leave();
            throw error;
          }
        },
        cancel: leave,
      },
      { highWaterMark: 0 },
    );
  }

  /** A segment for one more reader, who is to leave it. */
  async #enter(place: SegmentPlace, below: Below, end: number): Promise<Segment> {
    const segment = this.#kept.get(place.segment) ?? { bytes: await this.#decode(place, below, end), readers: 0 };
    segment.readers += 1;
    this.#kept.delete(place.segment);
    this.#kept.set(place.segment, segment);
    let keptBytes = [...this.#kept.values()].reduce((sum, { bytes }) => sum + bytes.buffer.byteLength, 0);
    for (const [number, { bytes, readers }] of this.#kept) {
      if (keptBytes <= KEPT_BYTES_MAX) break;
      this.#kept.delete(number);
      keptBytes -= bytes.buffer.byteLength;
      if (readers === 0) this.#spare = bytes.buffer;
    }
    return segment;
  }

  /** With room for so many bytes. */
  #buffer(bytes: number): ArrayBuffer {
    const spare = this.#spare;
    this.#spare = new ArrayBuffer(0);
    return spare.byteLength < bytes ? new ArrayBuffer(bytes) : spare;
  }

  async #decode(place: SegmentPlace, below: Below, end: number): Promise<Uint8Array<ArrayBuffer>> {
    // The last segment that the read needs is looked for once, when it begins anew below.
    const lastEnd = async (): Promise<number> => (end <= place.end ? place.packedEnd : (await this.#packed.segmentAt(end - 1)).packedEnd);
    const roomBytes = Math.max(place.packedEnd - place.packedStart, place.end - place.start);
    const packed = await below.take(place.packedStart, place.packedEnd - place.packedStart, roomBytes, lastEnd);
    return this.#packed.decode(place.segment, packed);
  }

  /** Who uses up the files at a pace uses up what is transported at another. */
  #scaled(options: ReadOptions): ReadOptions {
    const { bytesPerS } = options;
    const { sizeBytes, packedBytes } = this.#packed.info;
    if (!bytesPerS || sizeBytes === 0) return options;
    const scaled = (): number | null => {
      const pace = bytesPerS();
      return pace === null ? null : (pace * packedBytes) / sizeBytes;
    };
    return { ...options, bytesPerS: scaled };
  }
}

/** A read of what is transported, from which stretches of exact lengths are taken; begun anew where they leave it. */
class Below {
  readonly #content: Pick<ContentReader, 'read'>;
  readonly #options: ReadOptions;
  readonly #buffer: (bytes: number) => ArrayBuffer;
  #reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  #at = -1;
  /** Where the next piece goes. */
  #room = new Uint8Array();

  constructor(content: Pick<ContentReader, 'read'>, options: ReadOptions, buffer: (bytes: number) => ArrayBuffer) {
    this.#content = content;
    this.#options = { ...options, room: () => this.#room };
    this.#buffer = buffer;
  }

  /** In a buffer that has room for `roomBytes`. */
  async take(start: number, length: number, roomBytes: number, end: () => Promise<number>): Promise<Uint8Array<ArrayBuffer>> {
    if (!this.#reader || this.#at !== start) {
      await this.close();
      this.#reader = this.#content.read(start, await end(), this.#options).getReader();
      this.#at = start;
    }
    let buffer = this.#buffer(roomBytes);
    for (let filled = 0; filled < length; ) {
      this.#room = new Uint8Array(buffer, filled, length - filled);
      const { done, value } = await this.#reader.read();
      if (done) throw new Error('the content ended before a segment was whole');
      buffer = value.buffer as ArrayBuffer;
      filled += value.length;
    }
    this.#at += length;
    return new Uint8Array(buffer, 0, length);
  }

  async close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = null;
    this.#room = new Uint8Array();
    // It may have failed already, which its reader was told.
    await reader?.cancel().catch(() => undefined);
  }
}
