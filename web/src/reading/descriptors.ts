/** Descriptors: parts of a content of which any subset is useful. See `docs/format.md`, and `PleachPeer`'s `descriptor`. */

import type { Range } from './ranges.js';

/** Stretches of `length` bytes, `count` of them, each `every` bytes after the one before. */
export interface DescriptorRun {
  readonly start: number;
  readonly length: number;
  readonly count: number;
  readonly every: number;
}

/** One of a content's descriptors. */
export interface ContentDescriptor {
  /** As the author gave it; may be hostile. Empty if there is none. */
  readonly name: string;
  readonly runs: readonly DescriptorRun[];
}

/** Its stretches of the content, in order. */
export function* rangesOf({ runs }: ContentDescriptor): Generator<Range> {
  for (const { start, length, count, every } of runs) {
    for (let index = 0; index < count; index += 1) yield { start: start + index * every, end: start + index * every + length };
  }
}

/** So many bytes are in memory at most; browsers keep what is a `Blob` elsewhere. */
const PART_BYTES = 4 * 1024 * 1024;

/** Its bytes, put together; what is not there yet is waited for. */
export async function gather(descriptor: ContentDescriptor, read: (start: number, end: number) => ReadableStream<Uint8Array>): Promise<Blob> {
  const blobs: Blob[] = [];
  let pieces: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  const putAway = (): void => {
    blobs.push(new Blob(pieces));
    pieces = [];
    bytes = 0;
  };
  for (const { start, end } of rangesOf(descriptor)) {
    const reader = read(start, end).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      pieces.push(new Uint8Array(part.value));
      bytes += part.value.length;
      if (bytes >= PART_BYTES) putAway();
    }
  }
  putAway();
  return new Blob(blobs);
}
