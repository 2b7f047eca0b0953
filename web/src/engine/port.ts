/**
 * What the download store needs of an engine, and nothing more.
 *
 * The store knows this interface only, so that it is tested without wasm, network or DOM, and the gallery shows every
 * state with an engine that pretends. `PleachEngine` is the real one.
 *
 * One port carries one attempt at one download: a retry makes a new one.
 */

import type { ContentDescriptor } from '../reading/descriptors.js';
import type { ReadOptions } from '../reading/content-reader.js';
import type { Range } from '../reading/ranges.js';

/** What peers pass on; the last one of a content is shorter. */
export const PACKET_BYTES = 64 * 1024;

/** One file of a content, and where its bytes are in it. */
export interface ContentFile extends Range {
  /** As the author gave it, components joined by `/`; may be hostile, see `store/names.ts`. */
  readonly path: string;
  /** MIME type, or empty if the author told none. */
  readonly mediaType: string;
}

/** What a download is of. */
export interface ContentInfo {
  /** BLAKE3 of the content, 64 hexadecimal digits. */
  readonly id: string;
  /** As the author gave it; may be hostile, see `displayName` and `fileName`. */
  readonly name: string;
  /** Of what is transported, of which progress is told. */
  readonly sizeBytes: number;
  /** MIME type, or empty if the author told none. */
  readonly mediaType: string;
  /** At least one; more than one is a folder. In the order of their bytes, without a gap. */
  readonly files: readonly ContentFile[];
  /** Where the bytes that are transported are not the files': these have places and sizes of their own. */
  readonly packed?: 'compressed' | 'encrypted';
  /** Parts of what is transported, of which any subset is useful; mostly none. */
  readonly descriptors?: readonly ContentDescriptor[];
}

/** What the far end of a link is to this peer. */
export type LinkRole = 'parent' | 'child' | 'lateral';

/** One open link, as the engine counts it. */
export interface EngineLink {
  readonly link: number;
  readonly peer: string;
  /** The program at the far end; empty until it has said so. */
  readonly agent: string;
  readonly role: LinkRole;
  /** How many stripes it pushes to this peer, and this peer to it. */
  readonly stripesDown: number;
  readonly stripesUp: number;
  readonly packetsHeld: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly downBytesPerS: number;
  readonly upBytesPerS: number;
  readonly roundTripMs: number | null;
}

/** A web server that has the content, as the engine counts it; see `SourceStats` of the core. */
export interface EngineSource {
  readonly url: string;
  /** `resting`: it was busy or out of reach, and is asked again; `unfit`: it is of no use. */
  readonly state: 'idle' | 'fetching' | 'resting' | 'unfit';
  readonly receivedBytes: number;
  readonly downBytesPerS: number;
  /** What went wrong there last, if something did since bytes came. */
  readonly trouble: string | null;
}

/** What the engine is doing; see `Phase` of the core. */
export type EnginePhase = 'checking' | 'searching' | 'downloading' | 'seeding' | 'stopped';

/** A snapshot; see `Stats` of the core. */
export interface EngineStats {
  /** What this peer is called in the swarm. */
  readonly peer: string;
  readonly phase: EnginePhase;
  readonly haveBytes: number;
  readonly sizeBytes: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly downBytesPerS: number;
  readonly upBytesPerS: number;
  readonly trackerUp: boolean;
  readonly swarmPeers: number;
  readonly swarmSeeders: number;
  readonly links: readonly EngineLink[];
  readonly sources: readonly EngineSource[];
}

/** Why a download can't go on, for programs; the words for people are in `store/words.ts`. */
export type ProblemKind =
  /** The link is no link. */
  | 'link'
  /** The tracker does not know the content. */
  | 'not-found'
  /** The tracker answered with an error. */
  | 'server'
  /** The tracker will not have this peer. */
  | 'refused'
  /** The manifest can't be read. */
  | 'manifest'
  /** It is encrypted, and the link's key is missing, damaged, or another's. */
  | 'key'
  /** The manifest is not the one that the link promises. */
  | 'digest'
  /** Its author lets it be had later. */
  | 'not-yet'
  /** Its author let it be had until a moment that is past. */
  | 'over'
  /** The browser has no WebRTC, and no web server has the content. */
  | 'no-webrtc'
  /** The browser has no WebAssembly, or too old a one. */
  | 'no-wasm'
  /** The disk or the browser's quota is full. */
  | 'storage-full'
  /** There is no lasting storage, and the content is more than is kept in memory. */
  | 'too-large'
  /** The store failed otherwise. */
  | 'storage'
  /** What is shared changed meanwhile. */
  | 'changed'
  /** Everything else: a bug, or a part of the engine that could not be loaded. */
  | 'engine';

/** Why a download can't go on. */
export interface Problem {
  readonly kind: ProblemKind;
  /** The technical reason, in the words of whoever found it. */
  readonly detail: string;
}

/** What happens in an engine. Numbers are in `stats()`; these are what must be told at once. */
export type EngineEvent =
  /** What it is: the manifest came and is right. */
  | { readonly type: 'content'; readonly content: ContentInfo }
  /** It is encrypted with a password, and waits for `unlock`; `wrong` if that of the last one was. */
  | { readonly type: 'locked'; readonly wrong: boolean }
  /** Opening takes longer: the tracker can't be reached; trying again after `retryMs`, `null` when the network is back. */
  | { readonly type: 'waiting'; readonly reason: string; readonly retryMs: number | null }
  /** Another tab has the same content open; it goes on when that has let go. */
  | { readonly type: 'elsewhere' }
  /** The bytes are kept in memory, so that a reload starts afresh. */
  | { readonly type: 'memoryOnly' }
  /** The browser has no WebRTC, so that nobody is met and all comes from web servers. */
  | { readonly type: 'webOnly' }
  /** So many bytes of an earlier visit are good. */
  | { readonly type: 'resumed'; readonly bytes: number }
  /** All of one more descriptor is there. */
  | { readonly type: 'descriptor'; readonly index: number }
  | { readonly type: 'complete' }
  | { readonly type: 'linkUp'; readonly peer: string }
  | { readonly type: 'linkDown'; readonly peer: string; readonly reason: string }
  /** A peer sent bytes that fail their hash; nothing of it was kept. */
  | { readonly type: 'peerLied'; readonly peer: string }
  | { readonly type: 'trackerUp' }
  /** Trying again after `retryMs`; `null` if it refused for good. */
  | { readonly type: 'trackerDown'; readonly reason: string; readonly retryMs: number | null }
  /** The browser says that the device is on or off line. */
  | { readonly type: 'network'; readonly online: boolean }
  | { readonly type: 'failed'; readonly problem: Problem }
  | { readonly type: 'stopped' };

/** How web servers are used. */
export interface WebUse {
  /** Addresses, http or https, that have the content beside those that its description names. */
  readonly sources: readonly string[];
  /** Most bytes a second to take from each server; 0 takes none, `null` knows no limit. */
  readonly limitBytesPerS: number | null;
}

/** How to begin. */
export interface OpenOptions {
  /** Payload bytes a second to give at most: 0 gives nothing, `null` knows no limit. */
  readonly uploadBytesPerS: number | null;
  /** Most bytes that this site keeps on the device, of all contents together; `null`: half of what the browser grants. */
  readonly quotaBytes: number | null;
  readonly web: WebUse;
  /** Hears everything, in order, never before `open` has returned. */
  readonly onEvent: (event: EngineEvent) => void;
}

/** What is saved: one file by its number, or all of them. */
export type SaveWhat = { readonly file: number } | 'zip' | 'folder';

/** How to save. */
export interface SaveOptions {
  readonly what: SaveWhat;
  /** Of the file; of the new folder where `what` is one. */
  readonly fileName: string;
  /** Gives it up; nothing of a file is left then. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress: (savedBytes: number) => void;
}

/** How a save ended. */
export type SaveResult =
  /** Written where the person chose, under this name. */
  | { readonly how: 'file'; readonly fileName: string }
  /** Handed to the browser's downloads under this name. */
  | { readonly how: 'download'; readonly fileName: string }
  /** Written into a new folder of this name where the person chose. */
  | { readonly how: 'folder'; readonly fileName: string }
  /** The person changed their mind. */
  | { readonly how: 'cancelled' };

export interface EnginePort {
  /** Starts. `source` is a share link or the URL of a `.pleach` file. Whatever goes wrong is an event. */
  open(source: string, options: OpenOptions): void;
  /** `null` until there is something to count. */
  stats(): EngineStats | null;
  /** The password that `locked` asked for. `locked` or `content` follows. */
  unlock(password: string): void;
  setUploadLimit(bytesPerS: number | null): void;
  /** The tracker's picture of who feeds whom, as it came; `null` if it gives none. Never rejects. */
  forest(): Promise<unknown>;
  /** How much is there of each file; `null` until that is known. */
  filesHeld(): Float64Array | null;
  /** Verified bytes of the files as they come; what is read is wanted first. Throws until the store is open. */
  read(start: number, end: number, options?: ReadOptions): ReadableStream<Uint8Array>;
  /** Reads use up the content at another pace now: see `ReadOptions.bytesPerS`. */
  repace(): void;
  /** A complete file where it is stored, without a copy. Rejects while the content is not complete. */
  file(file: number): Promise<Blob>;
  /** The bytes of a descriptor, put together; what is not there yet is waited for, and wanted first. */
  descriptor(index: number): Promise<Blob>;
  /**
   * Called inside a click, because a file picker opens only there. What is not there yet is waited for, and wanted first.
   * Rejects if the file could not be written.
   */
  save(options: SaveOptions): Promise<SaveResult>;
  /** Leaves the swarm. What is verified stays, and can be saved if it is all. */
  stop(): void;
  /** Gives everything back; nothing may be called after. */
  dispose(): void;
}
