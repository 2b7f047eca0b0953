/** An address at which the browser finds a file of a content: the stored file once that is complete, a stream before. */

import { safeMediaType } from './media.js';
import { streamsBy, type Playable } from './streams.js';

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
  if (!source.isComplete) {
    const offer = (await streamsBy(workerUrl)).offer(source);
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
