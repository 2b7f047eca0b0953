/**
 * The service worker: lets `<video>` and its like read a content that is open in a page and still coming. It knows
 * nothing of contents; the page answers, see `protocol.ts`.
 *
 * A site that has a service worker of its own takes this one into it: `importScripts('pleach-sw.js')`. So it keeps to
 * its own addresses and touches nothing else: no caches, no life cycle.
 */

import type { Ask, FromPage, Head, Prefix, ToPage, ToWorker } from './protocol.js';

interface FetchEventLike {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

interface MessageEventLike extends MessageEvent<ToWorker | null> {
  waitUntil(promise: Promise<unknown>): void;
}

interface ClientLike {
  postMessage(message: Ask, transfer: Transferable[]): void;
}

/** A service worker's global scope, as far as it is used. */
interface Scope {
  readonly registration: { readonly scope: string };
  readonly clients: {
    claim(): Promise<void>;
    matchAll(options: { type: 'window'; includeUncontrolled: boolean }): Promise<readonly ClientLike[]>;
  };
  addEventListener(type: 'fetch', listener: (event: FetchEventLike) => void): void;
  addEventListener(type: 'message', listener: (event: MessageEventLike) => void): void;
}

const scope = self as unknown as Scope;
const PREFIX: Prefix = '~pleach/';
const VERSION = 1;
/** Pages that do not answer within this have no say: they may be asleep, or not know what was asked. */
const ANSWER_MS_MAX = 10_000;

scope.addEventListener('message', (event) => {
  switch (event.data?.pleach) {
    case 'hello':
      return event.ports[0]?.postMessage(VERSION);
    case 'claim':
      return event.waitUntil(scope.clients.claim());
  }
});

scope.addEventListener('fetch', (event) => {
  const ask = askOf(event.request);
  if (ask) event.respondWith(answer(ask, event.request.method));
});

/** What is asked for; `null` if it is no affair of ours. */
function askOf({ url, method, headers }: Request): Ask | null {
  const folder = `${scope.registration.scope}${PREFIX}`;
  if (!url.startsWith(folder) || (method !== 'GET' && method !== 'HEAD')) return null;
  const [, id, file] = /^([0-9a-f]{64})\/(\d{1,5})\//u.exec(url.slice(folder.length)) ?? [];
  return id === undefined ? null : { pleach: 'ask', id, file: Number(file), range: headers.get('range') };
}

async function answer(ask: Ask, method: string): Promise<Response> {
  const pages = await scope.clients.matchAll({ type: 'window', includeUncontrolled: true });
  const found = await firstOf(pages.map((page) => askPage(page, ask)));
  if (!found) return new Response('This is not open in any page.', { status: 404, headers: { 'content-type': 'text/plain' } });
  const { head, port } = found;
  const headers = head.headers.map(([name, value]): [string, string] => [name, value]);
  const hasBody = method === 'GET' && head.status < 300;
  if (!hasBody) say(port, 'cancel');
  return new Response(hasBody ? bodyFrom(port) : null, { status: head.status, headers });
}

interface Answered {
  readonly head: Head;
  readonly port: MessagePort;
}

/** The first page that has it; `null` when all have said no or the time is over. */
function firstOf(answers: readonly Promise<Answered | null>[]): Promise<Answered | null> {
  return new Promise((resolve) => {
    let taken = false;
    const take = (answered: Answered | null): void => {
      if (answered && taken) say(answered.port, 'cancel');
      if (answered) taken = true;
      if (answered) resolve(answered);
    };
    void Promise.all(answers.map((each) => each.then(take))).then(() => resolve(null));
    setTimeout(() => resolve(null), ANSWER_MS_MAX);
  });
}

function askPage(page: ClientLike, ask: Ask): Promise<Answered | null> {
  const { port1: port, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port.onmessage = ({ data }: MessageEvent<FromPage>) => {
      if (data.say === 'head') return resolve({ head: data.head, port });
      port.close();
      resolve(null);
    };
    page.postMessage(ask, [port2]);
  });
}

function bodyFrom(port: MessagePort): ReadableStream<Uint8Array<ArrayBuffer>> {
  let pulled = (): void => {};
  return new ReadableStream(
    {
      start(controller) {
        port.onmessage = ({ data }: MessageEvent<FromPage>) => {
          if (data.say === 'bytes') controller.enqueue(data.bytes);
          if (data.say === 'end') controller.close();
          if (data.say === 'failed') controller.error(new Error(data.reason));
          if (data.say !== 'bytes') port.close();
          pulled();
        };
      },
      pull() {
        say(port, 'pull');
        return new Promise<void>((resolve) => (pulled = resolve));
      },
      cancel: () => say(port, 'cancel'),
    },
    { highWaterMark: 0 },
  );
}

function say(port: MessagePort, message: ToPage): void {
  port.postMessage(message);
  if (message === 'cancel') port.close();
}
