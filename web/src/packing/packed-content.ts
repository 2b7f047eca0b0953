/** Packed content that is open: the page's end of the worker. Loaded only when there is such content. */

import { startWorker } from '../storage/start-worker.js';
import workerUrl from './packing-worker.ts?worker&url';
import type { Answer, Ask, Numbered, PackedInfo, Secrets, SegmentPlace } from './protocol.js';

/** As much of a worker as is used. */
export type WorkerLike = Pick<Worker, 'postMessage' | 'terminate' | 'addEventListener'>;

/** What reads packed content. */
export interface PackedContent {
  readonly info: PackedInfo;
  /** The segment that a byte of the files is in. */
  segmentAt(offset: number): Promise<SegmentPlace>;
  /** The bytes of a segment. The buffer of `packed` is given away, and is theirs if it has room for them. */
  decode(segment: number, packed: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** Whether it has ended, by itself or by `close`. */
  readonly isClosed: boolean;
  /** Forgets the key, and ends. */
  close(): void;
}

/** The key is another content's, or damaged, or missing. */
export class WrongKey extends Error {
  override readonly name = 'WrongKey';
}

/** Another password may be the right one. */
export class WrongPassword extends Error {
  override readonly name = 'WrongPassword';
}

/** Opens it, or rejects with why it can't be opened. */
export async function openPacked(
  manifest: Uint8Array,
  secrets: Secrets,
  makeWorker: () => WorkerLike = () => startWorker(workerUrl, 'pleach-packing'),
): Promise<PackedContent> {
  const worker = new Asking(makeWorker());
  try {
    const info = (await worker.ask({ ask: 'open', manifest, ...secrets })) as PackedInfo;
    return {
      info,
      get isClosed() {
        return worker.isEnded;
      },
      async segmentAt(offset) {
        const place = (await worker.ask({ ask: 'segmentAt', offset })) as SegmentPlace | null;
        if (!place) throw new RangeError('a read beyond the files');
        return place;
      },
      decode: async (segment, packed) => (await worker.ask({ ask: 'decode', segment, packed }, [packed.buffer])) as Uint8Array<ArrayBuffer>,
      close: () => worker.end(new Error('the content was closed')),
    };
  } catch (error) {
    worker.end(new Error('it could not be opened'));
    throw error;
  }
}

interface Waiting {
  readonly resolve: (done: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Questions on their way, by number. As many as there are reads. */
class Asking {
  readonly #worker: WorkerLike;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #ended: Error | null = null;

  constructor(worker: WorkerLike) {
    this.#worker = worker;
    worker.addEventListener('message', (event) => this.#hear((event as MessageEvent<Answer>).data));
    worker.addEventListener('error', (event) => this.end(new Error((event as ErrorEvent).message || 'a part of the page could not be loaded')));
  }

  get isEnded(): boolean {
    return this.#ended !== null;
  }

  ask(question: Ask, transfer: Transferable[] = []): Promise<unknown> {
    if (this.#ended) return Promise.reject(this.#ended);
    const number = this.#next;
    this.#next += 1;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.#worker.postMessage({ number, question } satisfies Numbered, transfer);
    });
  }

  end(reason: Error): void {
    this.#ended = reason;
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }

  #hear(answer: Answer): void {
    const waiting = this.#waiting.get(answer.number);
    this.#waiting.delete(answer.number);
    if ('refused' in answer) waiting?.reject(errorOf(answer.refused.name, answer.refused.message));
    else waiting?.resolve(answer.done);
  }
}

function errorOf(name: string, message: string): Error {
  if (name === 'WrongKey') return new WrongKey(message);
  if (name === 'WrongPassword') return new WrongPassword(message);
  return new Error(message);
}
