/**
 * Fetches a manifest, patiently: a network that is down, a tracker that restarts or is overloaded are waited for, while
 * a clear no (404, 403, …) is a problem at once.
 */

import { ProblemError, textOf } from './problems.js';
import { readAtMost } from './read.js';

/** As in the engine (`content/manifest.rs`); a server that sends more is not believed. */
const MANIFEST_BYTES_MAX = 1 << 20;
/** A tracker that says nothing for so long is tried again. */
const ANSWER_MS_MAX = 20_000;
/** Waits between the tries; the last one repeats. */
const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 15_000] as const;
/** After so many answers that the server has a problem, people are told rather than kept waiting. */
const SERVER_ERRORS_MAX = 4;

export interface ManifestRequest {
  readonly url: string;
  readonly signal: AbortSignal;
  /** Told before each wait. */
  readonly onWaiting: (reason: string, retryMs: number) => void;
  readonly fetch: typeof fetch;
  /** Ends after `ms`, or sooner if there is hope (the network is back); rejects if aborted. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** An answer that another try may change. */
class TryAgain extends Error {
  readonly fromServer: boolean;

  constructor(reason: string, fromServer: boolean) {
    super(reason);
    this.fromServer = fromServer;
  }
}

export async function fetchManifest(request: ManifestRequest): Promise<Uint8Array> {
  let serverErrors = 0;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await fetchOnce(request);
    } catch (error) {
      if (request.signal.aborted || !(error instanceof TryAgain)) throw error;
      serverErrors = error.fromServer ? serverErrors + 1 : 0;
      if (serverErrors >= SERVER_ERRORS_MAX) throw new ProblemError('server', error.message);
      const retryMs = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)] as number;
      request.onWaiting(error.message, retryMs);
      await request.pause(retryMs, request.signal);
    }
  }
}

async function fetchOnce({ url, signal, fetch }: ManifestRequest): Promise<Uint8Array> {
  const host = new URL(url).host;
  const giveUp = new AbortController();
  const forward = (): void => giveUp.abort(signal.reason);
  signal.addEventListener('abort', forward);
  const timer = setTimeout(() => giveUp.abort(new Error('timed out')), ANSWER_MS_MAX);
  try {
    const response = await fetch(url, { signal: giveUp.signal, credentials: 'omit', referrerPolicy: 'no-referrer' });
    refuse(response, host);
    return await readAll(response);
  } catch (error) {
    if (signal.aborted || error instanceof ProblemError || error instanceof TryAgain) throw error;
    throw new TryAgain(`no answer from ${host} (${textOf(giveUp.signal.aborted ? giveUp.signal.reason : error)})`, false);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', forward);
  }
}

function refuse({ ok, status }: Response, host: string): void {
  if (ok) return;
  const detail = `${host} answered ${status}`;
  if (status === 404 || status === 410) throw new ProblemError('not-found', detail);
  if (status === 401 || status === 403) throw new ProblemError('refused', detail);
  if (status === 429 || status >= 500) throw new TryAgain(detail, true);
  throw new ProblemError('server', detail);
}

async function readAll(response: Response): Promise<Uint8Array> {
  const bytes = await readAtMost(response, MANIFEST_BYTES_MAX);
  if (!bytes) throw new ProblemError('manifest', 'the manifest is too long');
  return bytes;
}

/** A pause that the return of the network ends. */
export function pauseUntilOnline(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (then: () => void): void => {
      clearTimeout(timer);
      removeEventListener('online', online);
      signal.removeEventListener('abort', abort);
      then();
    };
    const online = (): void => end(resolve);
    const abort = (): void => end(() => reject(signal.reason));
    const timer = setTimeout(() => end(resolve), ms);
    addEventListener('online', online);
    signal.addEventListener('abort', abort);
  });
}
