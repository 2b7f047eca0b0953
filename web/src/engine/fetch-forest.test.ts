import { describe, expect, it, vi } from 'vitest';
import { fetchForest } from './fetch-forest.js';

const URL_OF_IT = 'https://tracker.example/swarms/ab/forest.json';
const signal = new AbortController().signal;
const answering = (response: () => Response | Promise<Response>) => vi.fn(async () => response()) as unknown as typeof fetch;

describe('the picture', () => {
  it('is what the tracker answers', async () => {
    const fetchIt = answering(() => Response.json({ peers: [] }));
    expect(await fetchForest('wss://tracker.example/ws', 'ab', fetchIt, signal)).toEqual({ peers: [] });
    expect(vi.mocked(fetchIt).mock.calls[0]).toMatchObject([URL_OF_IT, { credentials: 'omit', cache: 'no-store' }]);
  });

  it.each([
    ['there is none', () => new Response('{"error":"nobody is there"}', { status: 404 })],
    ['it is no JSON', () => new Response('<html>')],
    ['it never ends', () => new Response('['.repeat(300_000))],
    ['nobody answers', () => Promise.reject(new TypeError('failed to fetch'))],
  ])('is nothing where %s', async (_why, response) => {
    expect(await fetchForest('wss://tracker.example/ws', 'ab', answering(response), signal)).toBeNull();
  });

  it('is not asked for where no tracker can be, or when it is over', async () => {
    const fetchIt = answering(() => Response.json({}));
    expect(await fetchForest('nonsense', 'ab', fetchIt, signal)).toBeNull();
    expect(await fetchForest('wss://tracker.example/ws', 'ab', fetchIt, AbortSignal.abort())).toBeNull();
    expect(fetchIt).not.toHaveBeenCalled();
  });
});
