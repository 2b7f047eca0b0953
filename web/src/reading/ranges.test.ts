import { describe, expect, it } from 'vitest';
import { Ranges } from './ranges.js';

const SIZE = 200;

/** The same, byte by byte. */
function model(added: readonly (readonly [number, number])[]): boolean[] {
  const there = new Array<boolean>(SIZE).fill(false);
  for (const [start, end] of added) there.fill(true, start, end);
  return there;
}

/** Numbers that are the same at each run. */
function* noise(seed: number): Generator<number, never> {
  for (let x = seed; ; ) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    yield x / 2 ** 32;
  }
}

describe('ranges', () => {
  it('join where they touch or overlap', () => {
    const ranges = new Ranges();
    ranges.add(10, 20);
    ranges.add(30, 40);
    expect(ranges.count).toBe(2);
    ranges.add(20, 30);
    expect(ranges.count).toBe(1);
    expect([ranges.until(9), ranges.until(10), ranges.until(39), ranges.until(40)]).toEqual([9, 40, 40, 40]);
  });

  it.each(Array.from({ length: 20 }, (_, seed) => seed))('are as if noted byte by byte (%d)', (seed) => {
    const next = noise(seed);
    const random = (below: number): number => Math.floor(next.next().value * below);
    const ranges = new Ranges();
    const added: [number, number][] = [];
    for (let step = 0; step < 30; step += 1) {
      const start = random(SIZE);
      const range: [number, number] = [start, Math.min(SIZE, start + random(12))];
      added.push(range);
      ranges.add(...range);
      const there = model(added);
      const gapFrom = there.map((_, at) => (there.indexOf(false, at) === -1 ? SIZE : there.indexOf(false, at)));
      expect(there.map((_, at) => ranges.until(at))).toEqual(gapFrom);
      expect(ranges.count).toBe(there.filter((is, at) => is && !there[at - 1]).length);
      const parts = [0, 1, 17, 17, 90, 180].map((from, at, all) => ({ start: from, end: all[at + 1] ?? SIZE }));
      const expected = parts.map(({ start: from, end }) => there.slice(from, end).filter(Boolean).length);
      expect([...ranges.bytesIn(parts)]).toEqual(expected);
    }
  });
});
