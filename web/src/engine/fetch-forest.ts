/** Asks a tracker for the picture of a swarm. Whatever goes wrong, there is none: the download does not need it. */

import { forestUrl } from '../forest/forest.js';
import { readAtMost } from './read.js';

/** Two hundred peers take some 30 KiB. */
const FOREST_BYTES_MAX = 256 * 1024;
/** Later it would be old. */
const ANSWER_MS_MAX = 5_000;

export async function fetchForest(trackerUrl: string, content: string, fetchIt: typeof fetch, signal: AbortSignal): Promise<unknown> {
  const url = forestUrl(trackerUrl, content);
  if (url === null || signal.aborted) return null;
  const giveUp = new AbortController();
  const end = (): void => giveUp.abort();
  signal.addEventListener('abort', end);
  const timer = setTimeout(end, ANSWER_MS_MAX);
  try {
    const response = await fetchIt(url, { signal: giveUp.signal, cache: 'no-store', credentials: 'omit', referrerPolicy: 'no-referrer' });
    const bytes = response.ok ? await readAtMost(response, FOREST_BYTES_MAX) : null;
    return bytes && JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}
