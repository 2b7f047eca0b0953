import { describe, expect, it } from 'vitest';

import { gathered } from './save.js';

const KIB = 1024;

async function* piecesOf(lengths: readonly number[]) {
  let next = 0;
  for (const length of lengths) yield Uint8Array.from({ length }, () => next++ % 251);
}

async function gather(lengths: readonly number[]): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of gathered(piecesOf(lengths))) pieces.push(piece as Uint8Array);
  return pieces;
}

describe('gathered pieces', () => {
  it('has the same bytes in the same order', async () => {
    const lengths = [3, 0, 70 * KIB, 1, 64 * KIB, 63 * KIB, 2 * KIB, 64 * KIB - 1, 1, 1];
    const bytes = (await gather(lengths)).flatMap((piece) => [...piece]);
    expect(bytes.length).toBe(lengths.reduce((sum, length) => sum + length, 0));
    expect(bytes.every((byte, at) => byte === at % 251)).toBe(true);
  });

  it('makes few of many short ones, and leaves long ones alone', async () => {
    expect((await gather(Array.from({ length: 9_000 }, () => 64))).length).toBe(9);
    expect((await gather([256 * KIB, 256 * KIB, 5])).map(({ length }) => length)).toEqual([256 * KIB, 256 * KIB, 5]);
  });

  it('makes nothing of nothing', async () => {
    expect(await gather([])).toEqual([]);
    expect(await gather([0])).toEqual([]);
  });
});
