/** Many files as one ZIP, made while it is read: nothing of it is kept. Loaded only when it is asked for. */

import { makeZip, predictLength } from 'client-zip';
import type { SaveSource } from '../storage/save.js';

export interface ZipEntry {
  /** Relative, with `/` between its components; no two alike. */
  readonly path: string;
  readonly source: SaveSource;
}

export function zipOf(entries: readonly ZipEntry[]): SaveSource {
  const lastModified = new Date();
  const metadata = entries.map(({ path, source }) => ({ name: path, size: source.sizeBytes, lastModified }));
  return {
    sizeBytes: Number(predictLength(metadata)),
    stream: (signal) => makeZip(inputs(entries, lastModified, signal)),
  };
}

/** One after the other: a file is asked for when the one before it is done. */
function* inputs(entries: readonly ZipEntry[], lastModified: Date, signal: AbortSignal) {
  for (const { path, source } of entries) {
    yield { name: path, size: source.sizeBytes, lastModified, input: source.stream(signal) };
  }
}
