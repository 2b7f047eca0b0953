import { expect, it } from 'vitest';
import { findKept } from './find-kept.js';
import { PACKET_BYTES } from './port.js';

it('looks at each packet once, and leaps over what is there', async () => {
  const asked: number[] = [];
  const until = (start: number): number => {
    asked.push(start / PACKET_BYTES);
    return start === 2 * PACKET_BYTES ? 10.5 * PACKET_BYTES : start;
  };
  await findKept({ sizeBytes: 12.5 * PACKET_BYTES, until }, new AbortController().signal);
  expect(asked).toEqual([0, 1, 2, 11, 12]);
});

it('ends with the download', async () => {
  const ended = new AbortController();
  let asked = 0;
  const until = (start: number): number => {
    asked += 1;
    ended.abort();
    return start;
  };
  await findKept({ sizeBytes: 1e9, until }, ended.signal);
  expect(asked).toBeLessThanOrEqual(4_096);
});
