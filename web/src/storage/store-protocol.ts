/**
 * What `OpfsStore` and its worker say to each other. Requests go in batches, which are handled in order and answered by
 * one message each; in it every request but `appendRecord` and `noteHeld` is answered once, by its number.
 */

import type { StoreFault, StorePlace } from './store.js';

export type StoreRequest =
  /** First. Waits for the content's lock, makes room, and answers with the record of an earlier run. */
  | ({ readonly do: 'open' } & StorePlace)
  /** The buffer of `bytes` is transferred, and comes back to be used again. */
  | { readonly do: 'write'; readonly offset: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly do: 'read'; readonly offset: number; readonly length: number }
  /** The buffer of `bytes` is transferred, and comes back with what was read. */
  | { readonly do: 'readInto'; readonly offset: number; readonly bytes: Uint8Array<ArrayBuffer> }
  /** Not answered: what is lost of the record is fetched again. */
  | { readonly do: 'appendRecord'; readonly bytes: Uint8Array<ArrayBuffer> }
  /** So many bytes are there, whatever was written. Not answered. */
  | { readonly do: 'noteHeld'; readonly heldBytes: number }
  /** Puts what is written safely on disk. */
  | { readonly do: 'flush' }
  /** Ends writing, and answers with the file. */
  | { readonly do: 'file' }
  /** A file beside the content, see `Spool`. `spool` is a number that no other has. */
  | { readonly do: 'openSpool'; readonly spool: number; readonly sizeBytes: number }
  /** Goes to the spool's end. The buffer is transferred, and comes back to be used again. */
  | { readonly do: 'writeSpool'; readonly spool: number; readonly bytes: Uint8Array<ArrayBuffer> }
  /** Ends writing, and answers with the file. */
  | { readonly do: 'finishSpool'; readonly spool: number }
  | { readonly do: 'removeSpool'; readonly spool: number }
  /** Last. */
  | { readonly do: 'close' }
  /** Last, too; forgets the content. */
  | { readonly do: 'remove' };

/** What the answer to each request holds. */
export interface StoreAnswers {
  open: Uint8Array<ArrayBuffer>;
  write: ArrayBuffer;
  read: Uint8Array<ArrayBuffer>;
  readInto: Uint8Array<ArrayBuffer>;
  appendRecord: undefined;
  noteHeld: undefined;
  flush: undefined;
  file: File;
  openSpool: undefined;
  writeSpool: ArrayBuffer;
  finishSpool: File;
  removeSpool: undefined;
  close: undefined;
  remove: undefined;
}

export interface NumberedRequest {
  readonly number: number;
  readonly request: StoreRequest;
}

export type StoreReply =
  | { readonly number: number; readonly result: StoreAnswers[keyof StoreAnswers] }
  | { readonly number: number; readonly fault: StoreFault };
