import { describe, expect, it } from 'vitest';
import { formatBytes, formatCount, formatDuration, formatPercent, formatSpeed, percent } from './format.js';

describe('formatBytes', () => {
  it.each([
    [0, '0 bytes'],
    [1, '1 byte'],
    [999, '999 bytes'],
    [1_000, '1.0 kB'],
    [1_049, '1.0 kB'],
    [9_940, '9.9 kB'],
    [9_960, '10 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [1_418_000_000, '1.4 GB'],
    [1_099_511_627_776, '1.1 TB'],
    [-5, '0 bytes'],
  ])('%d is %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
});

describe('formatSpeed', () => {
  it.each([
    [0, '0.0 kB/s'],
    [340, '0.3 kB/s'],
    [61_000, '61 kB/s'],
    [5_240_000, '5.2 MB/s'],
  ])('%d is %s', (bytes, text) => expect(formatSpeed(bytes)).toBe(text));
});

describe('percent', () => {
  it('says 100 only when it is all', () => {
    expect(percent(0.9999)).toBe(99);
    expect(percent(1)).toBe(100);
    expect(formatPercent(0.426)).toBe('42%');
  });
  it('is not fooled by binary fractions', () => expect(percent(0.29)).toBe(29));
  it('stays within bounds', () => {
    expect(percent(1.2)).toBe(100);
    expect(percent(-0.1)).toBe(0);
  });
});

describe('formatDuration', () => {
  it.each([
    [0, 'a few seconds'],
    [4.9, 'a few seconds'],
    [7, '5 sec'],
    [57, '55 sec'],
    [58, '1 min'],
    [153, '2 min 30 sec'],
    [594, '9 min 50 sec'],
    [600, '10 min'],
    [3_540, '59 min'],
    [3_600, '1 hr'],
    [7_500, '2 hr 5 min'],
    [86_400, '1 day'],
    [200_000, '2 days 8 hr'],
  ])('%d s is %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));
});

it('counts', () => {
  expect(formatCount(1, 'peer', 'peers')).toBe('1 peer');
  expect(formatCount(1_200, 'peer', 'peers')).toBe('1,200 peers');
});
