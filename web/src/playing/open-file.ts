/**
 * An address at which the browser finds a file of a content: the stored file once that is complete, a stream before. What
 * is stored of packed content is not the file, so it is streamed then too; without a worker it is unpacked beside it.
 */

import { safeMediaType } from './media.js';
import { streamsBy, type Playable, type Streams } from './streams.js';

export interface OpenSource extends Playable {
  readonly isComplete: boolean;
  /** A complete file where it is stored. */
  file(file: number): Promise<Blob>;
}

export interface OpenedContent {
  address(file: number): Promise<string>;
  setPace(file: number, bytesPerS: number | null): void;
  close(): void;
}

/** Rejects with why it can't be played before it is complete. */
export async function openContent(source: OpenSource, workerUrl: string): Promise<OpenedContent> {
  const streams = await streamsFor(source, workerUrl);
  if (streams) {
    const offer = streams.offer(source);
    return { address: async (file) => offer.address(file), setPace: offer.setPace, close: offer.close };
  }
  const urls: string[] = [];
  return {
    async address(file) {
      const type = safeMediaType(source.content.files[file] ?? { path: '', mediaType: '' });
      const blob = await source.file(file);
      const url = URL.createObjectURL(blob.slice(0, blob.size, type));
      urls.push(url);
      return url;
    },
    setPace: () => {},
    close: () => urls.splice(0).forEach((url) => URL.revokeObjectURL(url)),
  };
}

/** `null`: the complete files are there without. */
async function streamsFor({ isComplete, content }: OpenSource, workerUrl: string): Promise<Streams | null> {
  if (!isComplete) return streamsBy(workerUrl);
  if (!content.packed) return null;
  return streamsBy(workerUrl).catch(() => null);
}
