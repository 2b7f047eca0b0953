/**
 * A store on the device, in the origin private file system, by way of a worker.
 *
 * Requests are handled in the order in which they are made. A message to the worker and back costs more than what it
 * carries, so those that are made while the worker has a batch go to it together, as the next one. How many wait is
 * bounded by who asks: the engine by its store backlog.
 */

import { ReadAhead } from './read-ahead.js';
import { startWorker } from './start-worker.js';
import type { NumberedRequest, StoreAnswers, StoreReply, StoreRequest } from './store-protocol.js';
import { StoreError, type ContentStore, type OpenedStore, type Spool, type StoreFault, type StorePlace } from './store.js';

export interface OpfsStoreOptions extends StorePlace {
  /**
   * Where `store-worker` is: with Vite, `import url from './store-worker.ts?worker&url'`. It may lie on another host,
   * as it does when a site embeds the elements.
   */
  readonly workerUrl: string | URL;
}

/** Buffers for writes are of this size, which is that of a packet; larger ones are made as they are needed. */
const BUFFER_BYTES = 64 * 1024;
/** How many are kept to be used again: 64 KiB of garbage for each packet kept the collector busy. */
const BUFFERS_MAX = 32;

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: StoreError) => void;
}

export class OpfsStore implements ContentStore {
  readonly isLasting = true;
  readonly sizeBytes: number;
  #worker: Worker;
  #pending = new Map<number, Pending>();
  #lastNumber = 0;
  #lastSpool = 0;
  /** What the next batch is made of. */
  #waiting: NumberedRequest[] = [];
  #isBatchUnderWay = false;
  #buffers: ArrayBuffer[] = [];
  #readAhead: ReadAhead;
  #failure: StoreError | undefined;
  #isClosed = false;

  private constructor(worker: Worker, sizeBytes: number) {
    this.sizeBytes = sizeBytes;
    this.#worker = worker;
    this.#readAhead = new ReadAhead(sizeBytes, (offset, length) => this.#ask({ do: 'read', offset, length }));
    worker.onmessage = (event: MessageEvent<readonly StoreReply[]>) => this.#batchDone(event.data);
    worker.onerror = (event) => this.#breakDown(event.message || 'its worker could not be loaded');
    worker.onmessageerror = () => this.#breakDown('a message could not be read');
  }

  /** Whether this browser has such storage on this page. */
  static isSupported(): boolean {
    return typeof Worker === 'function' && 'locks' in navigator && 'getDirectory' in (navigator.storage ?? {});
  }

  /**
   * Opens the content's place, with its full size reserved, for which others that nobody uses may go. Rejects with a `StoreError`: `unsupported`, `no-space`, or
   * `already-open` after a moment's wait.
   */
  static async open({ workerUrl, ...place }: OpfsStoreOptions): Promise<OpenedStore<OpfsStore>> {
    if (!OpfsStore.isSupported()) {
      throw new StoreError({ code: 'unsupported', message: 'This browser lets the page keep nothing.' });
    }
    if (!/^[0-9a-f]{64}$/.test(place.content)) throw new RangeError('not a content id');
    const store = new OpfsStore(startWorker(workerUrl, 'pleach-store'), place.sizeBytes);
    try {
      const record = await store.#ask({ do: 'open', ...place });
      return { store, record: record.length > 0 ? record : undefined };
    } catch (error) {
      store.#end();
      throw error;
    }
  }

  get failure(): StoreError | undefined {
    return this.#failure;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    // First, while the bytes are there.
    const request = { do: 'write', offset, bytes: this.#copy(bytes) } as const;
    this.#readAhead.forget(offset, bytes.length);
    const buffer = await this.#noting(this.#ask(request));
    if (buffer.byteLength === BUFFER_BYTES && this.#buffers.length < BUFFERS_MAX) this.#buffers.push(buffer);
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    return this.#noting(this.#readAhead.read(offset, length));
  }

  /** Not read ahead, since it is as much as its reader wants. */
  readInto(offset: number, room: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    return this.#noting(this.#ask({ do: 'readInto', offset, bytes: room }));
  }

  appendRecord(bytes: Uint8Array): void {
    if (!this.#isClosed) this.#post({ number: 0, request: { do: 'appendRecord', bytes: new Uint8Array(bytes) } });
  }

  noteHeld(heldBytes: number): void {
    if (!this.#isClosed) this.#post({ number: 0, request: { do: 'noteHeld', heldBytes } });
  }

  /** Puts what is written safely on disk, for which nothing needs to wait. */
  flush(): Promise<void> {
    return this.#ask({ do: 'flush' });
  }

  file(): Promise<File> {
    return this.#noting(this.#ask({ do: 'file' }));
  }

  async spool(sizeBytes: number): Promise<Spool> {
    const spool = ++this.#lastSpool;
    await this.#ask({ do: 'openSpool', spool, sizeBytes });
    // One buffer goes to and fro: one for each piece was garbage that both sides left lying about.
    let buffer = new ArrayBuffer(0);
    return {
      write: async (bytes) => {
        // While it is away it has no bytes.
        const copy = new Uint8Array(buffer.byteLength < bytes.length ? new ArrayBuffer(bytes.length) : buffer, 0, bytes.length);
        copy.set(bytes);
        buffer = await this.#ask({ do: 'writeSpool', spool, bytes: copy });
      },
      finish: () => this.#ask({ do: 'finishSpool', spool }),
      // With the store closed, the next one to open it does it.
      remove: async () => (this.#isClosed ? undefined : this.#ask({ do: 'removeSpool', spool })),
    };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    await this.#ask({ do: 'close' }).finally(() => this.#end());
  }

  async remove(): Promise<void> {
    await this.#ask({ do: 'remove' }).finally(() => this.#end());
  }

  #copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    if (bytes.length > BUFFER_BYTES) return new Uint8Array(bytes);
    const copy = new Uint8Array(this.#buffers.pop() ?? new ArrayBuffer(BUFFER_BYTES), 0, bytes.length);
    copy.set(bytes);
    return copy;
  }

  #ask<R extends StoreRequest>(request: R): Promise<StoreAnswers[R['do']]> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw new StoreError({ code: 'closed', message: 'The store is closed.' });
      const number = ++this.#lastNumber;
      this.#pending.set(number, { resolve, reject });
      this.#post({ number, request });
    });
  }

  #post(request: NumberedRequest): void {
    this.#waiting.push(request);
    if (!this.#isBatchUnderWay) this.#postWaiting();
  }

  #postWaiting(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    this.#isBatchUnderWay = batch.length > 0;
    if (!this.#isBatchUnderWay) return;
    const transfer = batch.flatMap(({ request }) => ('bytes' in request ? [request.bytes.buffer] : []));
    this.#worker.postMessage(batch, transfer);
  }

  #batchDone(replies: readonly StoreReply[]): void {
    // First of all, so that the worker is not idle while the engine takes in the replies.
    this.#postWaiting();
    for (const reply of replies) this.#settle(reply);
  }

  #settle(reply: StoreReply): void {
    const pending = this.#pending.get(reply.number);
    this.#pending.delete(reply.number);
    if ('fault' in reply) {
      const error = new StoreError(reply.fault);
      // Number 0 is a record that could not be appended: nobody waits for it, and the next run fetches again.
      if (pending === undefined) console.warn('Pleach could not note what it has:', error);
      pending?.reject(error);
    } else {
      pending?.resolve(reply.result as never);
    }
  }

  async #noting<T>(result: Promise<T>): Promise<T> {
    try {
      return await result;
    } catch (error) {
      if (error instanceof StoreError) this.#failure ??= error;
      throw error;
    }
  }

  #breakDown(reason: string): void {
    this.#end({ code: 'failed', message: `The browser's storage failed: ${reason}` });
  }

  #end(fault: StoreFault = { code: 'closed', message: 'The store was closed.' }): void {
    this.#isClosed = true;
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(new StoreError(fault));
    this.#pending.clear();
  }
}
