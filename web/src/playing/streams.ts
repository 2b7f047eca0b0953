/**
 * The page's part of playing: finds the service worker, tells addresses for files of contents that are open here, and
 * answers what is asked of them. See `protocol.ts`.
 */

import type { ContentInfo } from '../engine/port.js';
import type { ReadOptions } from '../reading/content-reader.js';
import { answerOf } from './answer.js';
import type { Ask, FromPage, Prefix, ToPage, ToWorker } from './protocol.js';

/** A content that is open in this page. */
export interface Playable {
  readonly content: ContentInfo;
  read(start: number, end: number, options: ReadOptions): ReadableStream<Uint8Array>;
  repace(): void;
}

/** Addresses of a content's files, good until it is closed. */
export interface Offer {
  address(file: number): string;
  /** How fast a file is used up by who plays it; `null` while that is unknown. */
  setPace(file: number, bytesPerS: number | null): void;
  close(): void;
}

const PREFIX: Prefix = '~pleach/';
/** How long a worker may take to be there. */
const WORKER_MS_MAX = 10_000;
/** Browsers end a worker that hears nothing for half a minute. */
const AWAKE_MS = 10_000;
/** Reads under way for one content; a player has two or three. One more ends the oldest, whose worker may be gone. */
const READS_MAX = 32;

interface Open {
  readonly playable: Playable;
  readonly paces: Map<number, number | null>;
  readonly reads: Set<AbortController>;
}

export class Streams {
  readonly #container: ServiceWorkerContainer;
  readonly #folder: string;
  readonly #open = new Map<string, Open>();
  #awakeAtMs = -Infinity;

  constructor(container: ServiceWorkerContainer, folder: string) {
    this.#container = container;
    this.#folder = folder;
    container.addEventListener('message', (event: MessageEvent<Ask | null>) => {
      if (event.data?.pleach === 'ask' && event.ports[0]) this.#answer(event.data, event.ports[0]);
    });
    container.startMessages();
  }

  offer(playable: Playable): Offer {
    const { id, files, packed } = playable.content;
    const open: Open = { playable, paces: new Map(), reads: new Set() };
    this.#open.set(id, open);
    return {
      address: (file) => {
        // An address may pass the site's server where the worker does not take it: no name of what is encrypted is in it.
        const path = packed === 'encrypted' ? 'file' : (files[file]?.path ?? '');
        return `${this.#folder}${id}/${file}/${encodeURIComponent(path.slice(path.lastIndexOf('/') + 1))}`;
      },
      setPace: (file, bytesPerS) => {
        open.paces.set(file, bytesPerS);
        playable.repace();
      },
      close: () => {
        if (this.#open.get(id) === open) this.#open.delete(id);
        for (const read of open.reads) read.abort();
      },
    };
  }

  #answer({ id, file, range }: Ask, port: MessagePort): void {
    const open = this.#open.get(id);
    const found = open?.playable.content.files[file];
    const say = (what: FromPage, transfer: Transferable[] = []): void => port.postMessage(what, transfer);
    if (!open || !found) return say({ say: 'no' });
    const answer = answerOf(found, range);
    say({ say: 'head', head: answer.head });
    if (answer.range) this.#send(open, file, found.start + answer.range.start, found.start + answer.range.end, port, say);
  }

  /** Sends a piece each time that one is pulled. */
  #send(open: Open, file: number, start: number, end: number, port: MessagePort, say: (what: FromPage, transfer?: Transferable[]) => void): void {
    const ended = new AbortController();
    open.reads.add(ended);
    if (open.reads.size > READS_MAX) [...open.reads][0]?.abort();
    const bytesPerS = (): number | null => open.paces.get(file) ?? null;
    let reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
    ended.signal.addEventListener('abort', () => open.reads.delete(ended));
    const next = async (): Promise<void> => {
      try {
        reader ??= open.playable.read(start, end, { signal: ended.signal, playing: true, bytesPerS }).getReader();
        const { done, value } = await reader.read();
        this.#keepAwake();
        if (!done) {
          // A copy: the piece may be a part of what others still read.
          const bytes = new Uint8Array(value);
          return say({ say: 'bytes', bytes }, [bytes.buffer]);
        }
        say({ say: 'end' });
      } catch (error) {
        say({ say: 'failed', reason: String(error) });
      }
      ended.abort();
    };
    port.onmessage = ({ data }: MessageEvent<ToPage>) => (data === 'pull' ? void next() : ended.abort());
  }

  #keepAwake(): void {
    const nowMs = performance.now();
    if (nowMs - this.#awakeAtMs < AWAKE_MS) return;
    this.#awakeAtMs = nowMs;
    this.#container.controller?.postMessage({ pleach: 'awake' } satisfies ToWorker);
  }
}

const found = new Map<string, Promise<Streams>>();

/**
 * The way by the service worker at `workerUrl`, which must lie on this page's own site. Rejects with why there is none, as
 * what follows a "because"; asked again, it tries again.
 */
export function streamsBy(workerUrl: string): Promise<Streams> {
  const { href } = new URL(workerUrl, document.baseURI);
  const known = found.get(href);
  if (known) return known;
  const finding = find(href).catch((error: unknown) => {
    found.delete(href);
    throw error;
  });
  found.set(href, finding);
  return finding;
}

async function find(href: string): Promise<Streams> {
  const container = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  if (!container) throw new Error('this page did not come by https');
  if (new URL(href).origin !== location.origin) throw new Error(`the service worker ${href} is not of this site`);
  const registration = await registered(container, href);
  if (!location.href.startsWith(registration.scope)) throw new Error(`this page is not below ${registration.scope}`);
  const worker = await within(active(registration), 'the service worker did not start');
  if (!container.controller) await within(claim(container, worker), 'the service worker did not take over this page');
  await within(greet(container.controller ?? worker), 'this site’s service worker is not one of Pleach');
  return new Streams(container, `${registration.scope}${PREFIX}`);
}

/** A site's own worker is left in its place: it may have ours in it. */
async function registered(container: ServiceWorkerContainer, href: string): Promise<ServiceWorkerRegistration> {
  const present = await container.getRegistration(location.href);
  const script = (present?.active ?? present?.waiting ?? present?.installing)?.scriptURL;
  if (present && script !== href) return present;
  return container.register(href).catch((error: unknown) => {
    throw new Error(`this site has no ${new URL(href).pathname}`, { cause: error });
  });
}

function active(registration: ServiceWorkerRegistration): Promise<ServiceWorker> {
  return new Promise((resolve, reject) => {
    const worker = registration.active ?? registration.waiting ?? registration.installing;
    if (!worker) return reject(new Error('there is no service worker'));
    const look = (): void => {
      if (worker.state === 'activated') resolve(worker);
      if (worker.state === 'redundant') reject(new Error('the service worker could not start'));
    };
    worker.addEventListener('statechange', look);
    look();
  });
}

function claim(container: ServiceWorkerContainer, worker: ServiceWorker): Promise<void> {
  return new Promise((resolve) => {
    container.addEventListener('controllerchange', () => resolve(), { once: true });
    worker.postMessage({ pleach: 'claim' } satisfies ToWorker);
  });
}

function greet(worker: ServiceWorker): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    worker.postMessage({ pleach: 'hello' } satisfies ToWorker, [port2]);
  });
}

function within<T>(promise: Promise<T>, otherwise: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(otherwise)), WORKER_MS_MAX);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
