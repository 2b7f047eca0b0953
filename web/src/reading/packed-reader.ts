/**
 * Reads of the files that packed content is made of, while it comes.
 *
 * ```text
 * a read of the files ─► which segment ─► its bytes, from `ContentReader` ─► decoded ─► the part that was asked for
 * ```
 *
 * What is not there is wanted by the read below, of the whole stretch at once, so seeking and saving have the order that
 * they have with plain content. A read holds one segment, 4 MiB at most, encoded and then decoded; the last decoded ones
 * are kept, since a player asks for many small stretches beside each other.
 */

import type { PackedContent } from '../packing/packed-content.js';
import type { SegmentPlace } from '../packing/protocol.js';
import type { ContentReader, ReadOptions } from './content-reader.js';

/** How much is given at once. */
const PIECE_BYTES = 256 * 1024;
/** Decoded bytes that are kept; the ones not used for longest go first. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024;

export class PackedReader {
  readonly #content: Pick<ContentReader, 'read' | 'bytesIn'>;
  readonly #packed: PackedContent;
  /** The one used last is last. */
  readonly #kept = new Map<number, Uint8Array>();

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
    const below = new Below(this.#content, this.#scaled(options));
    let at = start;
    let place: SegmentPlace | null = null;
    let plain: Uint8Array = new Uint8Array();
    return new ReadableStream(
      {
        pull: async (controller) => {
          try {
            options.signal?.throwIfAborted();
            if (at >= end) {
              await below.close();
              return controller.close();
            }
            if (!place || at >= place.end) {
              place = await this.#packed.segmentAt(at);
              plain = await this.#segment(place, below, end);
            }
            const from = at - place.start;
            const until = Math.min(end - place.start, plain.length, from + PIECE_BYTES);
            if (until <= from) throw new Error('a segment is shorter than its index says');
            at += until - from;
            // A copy: others read what is kept.
            controller.enqueue(plain.slice(from, until));
          } catch (error) {
            await below.close();
            throw error;
          }
        },
        cancel: () => below.close(),
      },
      { highWaterMark: 0 },
    );
  }

  async #segment(place: SegmentPlace, below: Below, end: number): Promise<Uint8Array> {
    const kept = this.#kept.get(place.segment);
    const plain = kept ?? (await this.#decode(place, below, end));
    this.#kept.delete(place.segment);
    this.#kept.set(place.segment, plain);
    let keptBytes = [...this.#kept.values()].reduce((sum, bytes) => sum + bytes.length, 0);
    for (const [segment, bytes] of this.#kept) {
      if (keptBytes <= KEPT_BYTES_MAX) break;
      this.#kept.delete(segment);
      keptBytes -= bytes.length;
    }
    return plain;
  }

  async #decode(place: SegmentPlace, below: Below, end: number): Promise<Uint8Array> {
    // The last segment that the read needs is looked for once, when it begins anew below.
    const lastEnd = async (): Promise<number> => (end <= place.end ? place.packedEnd : (await this.#packed.segmentAt(end - 1)).packedEnd);
    const packed = await below.take(place.packedStart, place.packedEnd - place.packedStart, lastEnd);
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
  #reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  #at = -1;
  /** What came beyond the last stretch. */
  #rest: Uint8Array = new Uint8Array();

  constructor(content: Pick<ContentReader, 'read'>, options: ReadOptions) {
    this.#content = content;
    this.#options = options;
  }

  async take(start: number, length: number, end: () => Promise<number>): Promise<Uint8Array<ArrayBuffer>> {
    if (!this.#reader || this.#at !== start) {
      await this.close();
      this.#reader = this.#content.read(start, await end(), this.#options).getReader();
      this.#at = start;
    }
    const bytes = new Uint8Array(length);
    for (let filled = 0; filled < length; ) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#reader.read();
        if (done) throw new Error('the content ended before a segment was whole');
        this.#rest = value;
      }
      const piece = this.#rest.subarray(0, length - filled);
      bytes.set(piece, filled);
      filled += piece.length;
      this.#rest = this.#rest.subarray(piece.length);
    }
    this.#at += length;
    return bytes;
  }

  async close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = null;
    this.#rest = new Uint8Array();
    // It may have failed already, which its reader was told.
    await reader?.cancel().catch(() => undefined);
  }
}
