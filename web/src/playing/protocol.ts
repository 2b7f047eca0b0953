/**
 * What the page and the service worker say to each other. Types only: the worker is one small file.
 *
 * ```text
 * <video> ── GET RANGE ─► worker ── ask ─► page        over a channel of each request's own:
 *         ◄─ 206 ─────── worker ◄─ head ── page
 *         ── reads ────► worker ── pull ─► page ─► ContentReader
 *         ◄─ bytes ───── worker ◄─ bytes ─ page
 * ```
 *
 * A piece is sent when it is pulled, so a player that is paused holds up the reading, and one that seeks ends it.
 */

/** In the worker's scope, the folder that is answered by the page: `~pleach/<content id>/<file number>/<name>`. */
export type Prefix = '~pleach/';

/** To the worker, by `postMessage`. */
export type ToWorker =
  /** Is this the one? It answers `1`, its version, on the port that comes along. */
  | { readonly pleach: 'hello' }
  /** Take over this page, which was loaded before the worker was there, or past it. */
  | { readonly pleach: 'claim' }
  /** Somebody still plays: browsers end a worker that hears nothing. */
  | { readonly pleach: 'awake' };

/** To each page of the site, with a port for the answer. */
export interface Ask {
  readonly pleach: 'ask';
  readonly id: string;
  readonly file: number;
  /** The header. */
  readonly range: string | null;
}

/** How a request is answered. */
export interface Head {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
}

/** From the page, over the request's channel. */
export type FromPage =
  /** The content is not open in this page. */
  | { readonly say: 'no' }
  | { readonly say: 'head'; readonly head: Head }
  | { readonly say: 'bytes'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly say: 'end' }
  | { readonly say: 'failed'; readonly reason: string };

/** To the page, over the request's channel. */
export type ToPage = 'pull' | 'cancel';
