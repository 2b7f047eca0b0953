import { describe, expect, it, vi } from 'vitest';
import { fetchManifest, type ManifestRequest } from './manifest.js';

const BYTES = new Uint8Array([1, 2, 3]);

/** Answers in turn; the last one repeats. An error is a network that is down. */
function request(answers: readonly (Response | Error)[], signal = new AbortController().signal) {
  let asked = 0;
  const waits: [string, number][] = [];
  const made: ManifestRequest = {
    url: 'https://pleach.example/x.pleach',
    signal,
    onWaiting: (reason, retryMs) => waits.push([reason, retryMs]),
    fetch: async () => {
      const answer = answers[Math.min(asked++, answers.length - 1)] as Response | Error;
      if (answer instanceof Error) throw answer;
      return answer.clone();
    },
    pause: async () => {},
  };
  return { made, waits, asked: () => asked };
}

const status = (code: number): Response => new Response('', { status: code });
const down = new TypeError('Failed to fetch');

describe('fetchManifest', () => {
  it('gives the bytes', async () => {
    expect(await fetchManifest(request([new Response(BYTES)]).made)).toEqual(BYTES);
  });

  it.each([
    [404, 'not-found'],
    [410, 'not-found'],
    [403, 'refused'],
    [400, 'server'],
  ])('takes %d for an answer', async (code, kind) => {
    const { made, asked } = request([status(code)]);
    await expect(fetchManifest(made)).rejects.toMatchObject({ kind, message: `pleach.example answered ${code}` });
    expect(asked()).toBe(1);
  });

  it('waits for the network, longer and longer, as long as it takes', async () => {
    const { made, waits } = request([...Array<Error>(7).fill(down), new Response(BYTES)]);
    expect(await fetchManifest(made)).toEqual(BYTES);
    expect(waits.map(([, ms]) => ms)).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
    expect(waits[0]?.[0]).toMatch(/no answer from pleach.example/);
  });

  it('gives a restarting server a few tries', async () => {
    expect(await fetchManifest(request([status(503), status(502), new Response(BYTES)]).made)).toEqual(BYTES);
    const { made, asked } = request([status(503)]);
    await expect(fetchManifest(made)).rejects.toMatchObject({ kind: 'server' });
    expect(asked()).toBe(4);
  });

  it('does not swallow whatever a server sends', async () => {
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1 << 16)) });
    await expect(fetchManifest({ ...request([]).made, fetch: async () => new Response(endless) })).rejects.toMatchObject({ kind: 'manifest' });
  });

  it('ends with its signal', async () => {
    const abort = new AbortController();
    const { made } = request([down], abort.signal);
    const pause = vi.fn(() => {
      abort.abort();
      return Promise.reject(abort.signal.reason);
    });
    await expect(fetchManifest({ ...made, pause })).rejects.toMatchObject({ name: 'AbortError' });
    expect(pause).toHaveBeenCalledOnce();
  });
});
