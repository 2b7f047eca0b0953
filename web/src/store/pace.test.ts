import { describe, expect, it } from 'vitest';
import { measurePace, startPace, timeRemainingS } from './pace.js';

const SIZE = 100_000_000;

/** Measures twice a second, `bytesPerS` telling the speed at each moment. */
function run(seconds: number, bytesPerS: (second: number) => number, pace = startPace(0, 0)) {
  const left: (number | null)[] = [];
  for (let step = 0; step < seconds * 2; step += 1) {
    pace = measurePace(pace, pace.atMs + 500, pace.haveBytes + bytesPerS(pace.atMs / 1000) / 2);
    left.push(timeRemainingS(pace, SIZE));
  }
  return { pace, left };
}

describe('time remaining', () => {
  it('is unknown at first, and right at a steady speed', () => {
    const { left } = run(10, () => 1_000_000);
    expect(left.slice(0, 3)).toEqual([null, null, null]);
    expect(left.at(-1)).toBeCloseTo(90, 0);
  });

  it('hardly moves for one slow second', () => {
    const { pace } = run(20, () => 1_000_000);
    const before = timeRemainingS(pace, SIZE) as number;
    const { left } = run(1, () => 0, pace);
    expect(left.at(-1)).toBeLessThan(before * 1.2);
    expect(left.at(-1)).toBeGreaterThan(before);
  });

  it('follows a lasting change within half a minute', () => {
    const { pace } = run(20, () => 1_000_000);
    const { left, pace: later } = run(30, () => 200_000, pace);
    const right = (SIZE - later.haveBytes) / 200_000;
    expect(left.at(-1)).toBeGreaterThan(right * 0.85);
    expect(left.at(-1)).toBeLessThan(right * 1.15);
  });

  it('is not guessed while nothing comes', () => {
    expect(run(10, () => 0).left.at(-1)).toBeNull();
  });

  it('is zero at the end', () => {
    expect(timeRemainingS(startPace(0, SIZE), SIZE)).toBe(0);
  });

  it('ignores a clock that stands still or goes back', () => {
    const pace = measurePace(startPace(1_000, 0), 2_000, 500);
    expect(measurePace(pace, 2_000, 900)).toBe(pace);
    expect(measurePace(pace, 1_500, 900)).toBe(pace);
  });
});
