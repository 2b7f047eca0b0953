/**
 * An engine that pretends: tests and the gallery tell it what to say. Never part of what is shipped.
 */

import type { ReadOptions } from '../reading/content-reader.js';
import type { ContentInfo, EngineEvent, EngineLink, EnginePort, EngineStats, OpenOptions, SaveOptions, SaveResult } from '../engine/port.js';

export const FAKE_CONTENT: ContentInfo = {
  id: '6f2e1a9c4b7d8035e1f6a2c49d0b83757ac1e5d2094f6b38c7a1d94e02f5b86d',
  name: 'The hedge at Much Hadham, a film in three parts.mp4',
  sizeBytes: 1_418_000_000,
  mediaType: 'video/mp4',
  files: [{ path: 'The hedge at Much Hadham, a film in three parts.mp4', start: 0, end: 1_418_000_000, mediaType: 'video/mp4' }],
};

/** A folder of files with these sizes, one after the other. */
export function fakeFolder(name: string, files: readonly (readonly [path: string, sizeBytes: number, mediaType?: string])[]): ContentInfo {
  let end = 0;
  const placed = files.map(([path, sizeBytes, mediaType = '']) => {
    const start = end;
    end += sizeBytes;
    return { path, start, end, mediaType };
  });
  return { ...FAKE_CONTENT, name, sizeBytes: end, mediaType: '', files: placed };
}

export const FAKE_STATS: EngineStats = {
  peer: 'f'.repeat(32),
  phase: 'searching',
  haveBytes: 0,
  sizeBytes: FAKE_CONTENT.sizeBytes,
  receivedBytes: 0,
  sentBytes: 0,
  downBytesPerS: 0,
  upBytesPerS: 0,
  trackerUp: true,
  swarmPeers: 1,
  swarmSeeders: 0,
  links: [],
  sources: [],
};

export function fakeLink(link: Partial<EngineLink> & { readonly link: number }): EngineLink {
  return {
    peer: link.link.toString(16).padStart(32, '0'),
    agent: 'Chrome 156',
    role: 'lateral',
    stripesDown: link.role === 'parent' ? 2 : 0,
    stripesUp: link.role === 'child' ? 2 : 0,
    packetsHeld: 0,
    receivedBytes: 0,
    sentBytes: 0,
    downBytesPerS: 0,
    upBytesPerS: 0,
    roundTripMs: null,
    ...link,
  };
}

export class FakeEngine implements EnginePort {
  source: string | null = null;
  options: OpenOptions | null = null;
  uploadLimit: number | null | undefined;
  /** What the tracker shows. */
  picture: unknown = null;
  stopped = false;
  disposed = false;
  current: EngineStats | null = null;
  held: Float64Array | null = null;
  /** What a read gives; by default nothing ever comes. */
  onRead: (start: number, end: number, options?: ReadOptions) => ReadableStream<Uint8Array> = () => new ReadableStream();
  /** What a complete file is. */
  onFile: (file: number) => Promise<Blob> = () => new Promise(() => {});
  repaced = 0;
  /** Passwords that were tried. */
  passwords: string[] = [];
  /** What the next save does; by default it never ends. */
  onSave: (options: SaveOptions) => Promise<SaveResult> = () => new Promise(() => {});

  open(source: string, options: OpenOptions): void {
    this.source = source;
    this.options = options;
    this.uploadLimit = options.uploadBytesPerS;
  }

  stats(): EngineStats | null {
    return this.current;
  }

  unlock(password: string): void {
    this.passwords.push(password);
  }

  setUploadLimit(bytesPerS: number | null): void {
    this.uploadLimit = bytesPerS;
  }

  forest(): Promise<unknown> {
    return Promise.resolve(this.picture);
  }

  filesHeld(): Float64Array | null {
    return this.held;
  }

  read(start: number, end: number, options?: ReadOptions): ReadableStream<Uint8Array> {
    return this.onRead(start, end, options);
  }

  repace(): void {
    this.repaced += 1;
  }

  file(file: number): Promise<Blob> {
    return this.onFile(file);
  }

  descriptor(index: number): Promise<Blob> {
    return Promise.resolve(new Blob([`descriptor ${index}`]));
  }

  save(options: SaveOptions): Promise<SaveResult> {
    return this.onSave(options);
  }

  stop(): void {
    this.stopped = true;
  }

  dispose(): void {
    this.disposed = true;
  }

  say(event: EngineEvent): void {
    this.options?.onEvent(event);
  }

  count(stats: Partial<EngineStats>): void {
    this.current = { ...(this.current ?? FAKE_STATS), ...stats };
  }
}
