import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { checkActive, LOOK_MS, watchOver } from './active-time.js';

const TIME = { activeFromMs: 1_000_000, activeUntilMs: 2_000_000 };
const EVER = { activeFromMs: null, activeUntilMs: null };

describe('when a content is to be had', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is told before and after', () => {
    const kindAt = (nowMs: number): string => {
      try {
        checkActive(TIME, nowMs);
        return 'now';
      } catch (error) {
        return (error as { kind: string }).kind;
      }
    };
    expect([0, 999_999, 1_000_000, 1_999_999, 2_000_000, 9e15].map(kindAt)).toEqual(['not-yet', 'not-yet', 'now', 'now', 'over', 'over']);
    expect(() => checkActive(EVER, 0)).not.toThrow();
  });

  it('is told for moments that no calendar has', () => {
    expect(() => checkActive({ ...EVER, activeFromMs: 1.8e19 }, 0)).toThrow(/18000000000000000000 ms after 1970/);
  });

  it('ends once, by what the clock shows, however it was set', () => {
    let nowMs = 1_500_000;
    const told: string[] = [];
    const stop = new AbortController();
    watchOver(TIME, () => nowMs, stop.signal, ({ kind }) => told.push(kind));
    vi.advanceTimersByTime(10 * 3_600_000);
    expect(told).toEqual([]);
    nowMs = 2_000_000;
    vi.advanceTimersByTime(LOOK_MS);
    expect(told).toEqual(['over']);
    vi.advanceTimersByTime(10 * LOOK_MS);
    expect(told).toEqual(['over']);
  });

  it('is not told any more once it does not matter, or where there is no end', () => {
    const told = vi.fn();
    const stop = new AbortController();
    watchOver(TIME, () => 9e15, stop.signal, told);
    watchOver(EVER, () => 9e15, stop.signal, told);
    stop.abort();
    watchOver(TIME, () => 9e15, stop.signal, told);
    vi.advanceTimersByTime(10 * LOOK_MS);
    expect(told).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });
});
