/**
 * What the page and the worker that opens packed content say to each other.
 *
 * The worker holds the key, which is nowhere else once it has it, and forgets it when it ends. Requests are answered in
 * order, each with its own number.
 */

import type { Range } from '../reading/ranges.js';

/** One file of packed content: its place among the files, and in what is transported. */
export interface PackedFile extends Range {
  readonly path: string;
  readonly mediaType: string;
  /** The segments that it is in. */
  readonly packedStart: number;
  readonly packedEnd: number;
}

/** What an opened index tells. */
export interface PackedInfo {
  readonly name: string;
  readonly mediaType: string;
  readonly files: readonly PackedFile[];
  /** Of the files together. */
  readonly sizeBytes: number;
  /** Of what is transported. */
  readonly packedBytes: number;
  readonly isEncrypted: boolean;
}

/** Where a segment is among the files, and in what is transported. */
export interface SegmentPlace extends Range {
  readonly segment: number;
  readonly packedStart: number;
  readonly packedEnd: number;
}

/** What opens it: nothing of this if it is only compressed. */
export interface Secrets {
  readonly key: string | null;
  readonly password: string | null;
}

/** To the worker. */
export type Ask =
  | ({ readonly ask: 'open'; readonly manifest: Uint8Array } & Secrets)
  | { readonly ask: 'segmentAt'; readonly offset: number }
  /** The buffer is transferred, and comes back with the answer in it, if that fits. */
  | { readonly ask: 'decode'; readonly segment: number; readonly packed: Uint8Array<ArrayBuffer> };

export interface Numbered {
  readonly number: number;
  readonly question: Ask;
}

/** Why it can't be done; `name` tells apart a wrong key and a wrong password. */
export interface Refusal {
  readonly name: string;
  readonly message: string;
}

/** From the worker: what was asked for, or why not. */
export type Answer = { readonly number: number } & ({ readonly done: unknown } | { readonly refused: Refusal });
