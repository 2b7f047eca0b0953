import { expect, it } from 'vitest';
import { gather, rangesOf } from './descriptors.js';

const DEALT = { name: '', runs: [{ start: 2, length: 2, count: 3, every: 6 }, { start: 20, length: 1, count: 1, every: 0 }] };

it('a descriptor is its stretches, one after the other', async () => {
  expect([...rangesOf(DEALT)]).toEqual([{ start: 2, end: 4 }, { start: 8, end: 10 }, { start: 14, end: 16 }, { start: 20, end: 21 }]);
  const read = (start: number, end: number): ReadableStream<Uint8Array> => new Blob(['abcdefghijklmnopqrstuvwxyz'.slice(start, end)]).stream();
  expect(await (await gather(DEALT, read)).text()).toBe('cdijopu');
});
