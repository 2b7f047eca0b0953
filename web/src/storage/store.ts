/**
 * Where a page keeps content: what the engine asks of a store, what saving asks, and how a store says what went wrong.
 *
 * `OpfsStore` keeps it on the device and finds it again after a reload; `MemoryStore` stands in where a page has no such
 * place: private windows of some browsers, and pages that came by plain http.
 */

/** What is to be kept, and in how much room. */
export interface StorePlace {
  /** The content's id, which names its folder. */
  readonly content: string;
  readonly sizeBytes: number;
  /** What people know it by; empty if that is a secret. */
  readonly name: string;
  /** Where on this site it can be opened again: a path, with what follows it; empty if there is a key in it. */
  readonly page: string;
  /** Most bytes that the site keeps, of all contents together; `null`: see `quotaOf`. */
  readonly quotaBytes: number | null;
}

/** A place for one content. `write`, `read` and `appendRecord` are what the engine calls, see `Store` there. */
export interface ContentStore {
  readonly sizeBytes: number;
  /** Whether what is written is found again after a reload. */
  readonly isLasting: boolean;
  /** The first error of a write or read: the engine tells only its message, this one has its code. */
  readonly failure: StoreError | undefined;
  /** Copies the bytes before it returns: they are only lent. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Fewer bytes where the store ends. They may be part of a larger buffer. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** The same, into a buffer that is given away and comes back with the bytes: who reads much leaves no garbage. */
  readInto(offset: number, room: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  appendRecord(bytes: Uint8Array): void;
  /** So many bytes are there in all: what an earlier visit left may be less than it wrote. Only for people to see. */
  noteHeld(bytes: number): void;
  /** The content as it lies there, without being copied. Ends writing: to be called when everything is verified. */
  file(): Promise<Blob>;
  /** A file beside the content, of this size at most, to be handed to the browser's downloads. */
  spool(sizeBytes: number): Promise<Spool>;
  /** Gives everything back; what lasts stays. */
  close(): Promise<void>;
  /** Closes, and forgets the content. */
  remove(): Promise<void>;
}

/** A file that is written from its start to its end. It is gone with the page at the latest. */
export interface Spool {
  /** One at a time: the next after the promise of the one before. */
  write(bytes: Uint8Array): Promise<void>;
  /** What was written; no write may follow. */
  finish(): Promise<Blob>;
  /** Forgets it. */
  remove(): Promise<void>;
}

/** An open store and what an earlier run noted, for the engine's option `record`. */
export interface OpenedStore<S extends ContentStore = ContentStore> {
  readonly store: S;
  readonly record: Uint8Array | undefined;
}

export type StoreErrorCode =
  /** The device or the browser's share of it is full. */
  | 'no-space'
  /** Another tab has this content open. */
  | 'already-open'
  /** There is no such storage in this browser or on this page. */
  | 'unsupported'
  /** More than is kept in memory. */
  | 'too-large'
  /** The store was closed, or is read only since its file was asked for. */
  | 'closed'
  /** Everything else. */
  | 'failed';

/** How an error crosses from the worker. */
export interface StoreFault {
  readonly code: StoreErrorCode;
  readonly message: string;
  readonly neededBytes?: number | undefined;
  readonly availableBytes?: number | undefined;
}

/** An error with a code for programs and a sentence for people. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  /** With `no-space` and `too-large`: what was to be kept. */
  readonly neededBytes: number | undefined;
  /** With `no-space` and `too-large`: what can be, as far as is known. */
  readonly availableBytes: number | undefined;

  constructor(fault: StoreFault) {
    super(fault.message);
    this.code = fault.code;
    this.neededBytes = fault.neededBytes;
    this.availableBytes = fault.availableBytes;
  }
}

/** The error for a full store. */
export function noSpace(neededBytes: number, availableBytes: number | undefined): StoreFault {
  const available = availableBytes === undefined ? '' : `, and ${inMegabytes(availableBytes)} are free`;
  return {
    code: 'no-space',
    message: `There is not enough space in the browser's storage: ${inMegabytes(neededBytes)} are needed${available}.`,
    neededBytes,
    availableBytes,
  };
}

/** Bytes in words, where no locale is at hand. */
export function inMegabytes(bytes: number): string {
  const megabytes = bytes / 1e6;
  return `${megabytes < 10 ? megabytes.toFixed(1) : Math.round(megabytes)} MB`;
}

/** What the browser lets this site keep. */
export interface SpaceEstimate {
  readonly usedBytes: number;
  readonly availableBytes: number;
}

/** What is free, or `undefined` where the browser does not tell. */
export async function estimateSpace(): Promise<SpaceEstimate | undefined> {
  // The property is missing on pages that came by plain http, whatever the types say.
  const storage = navigator.storage as StorageManager | undefined;
  const { quota, usage } = (await storage?.estimate?.()) ?? {};
  if (quota === undefined || usage === undefined) return undefined;
  return { usedBytes: usage, availableBytes: Math.max(0, quota - usage) };
}

/**
 * Asks the browser not to clear this site's storage by itself. It may ask the person, may say no, and nothing depends
 * on it.
 */
export async function askToPersist(): Promise<boolean> {
  const storage = navigator.storage as StorageManager | undefined;
  try {
    return (await storage?.persisted?.()) || ((await storage?.persist?.()) ?? false);
  } catch {
    return false;
  }
}
