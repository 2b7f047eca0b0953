import { describe, expect, it } from 'vitest';

import { ReadAhead } from './read-ahead.js';

const PACKET = 64 * 1024;
const BLOCK = 8 * PACKET;

/** A disk that counts what is read of it; each packet holds its number. */
function disk(sizeBytes: number) {
  const fetched: number[] = [];
  const content = new Uint8Array(sizeBytes).map((_, at) => Math.floor(at / PACKET));
  const fetch = async (offset: number, length: number): Promise<Uint8Array> => {
    fetched.push(offset / BLOCK);
    return content.slice(offset, offset + length);
  };
  return { fetched, content, reads: new ReadAhead(sizeBytes, fetch) };
}

describe('reading ahead', () => {
  it('reads each block once for one who reads in order', async () => {
    const { fetched, reads } = disk(3 * BLOCK + 5);
    for (let packet = 0; packet < 24; packet += 1) {
      const bytes = await reads.read(packet * PACKET, PACKET);
      expect([bytes.length, bytes[0], bytes.at(-1)]).toEqual([PACKET, packet, packet]);
    }
    expect(await reads.read(24 * PACKET, PACKET)).toHaveLength(5);
    expect(fetched).toEqual([0, 1, 2, 3]);
  });

  it('begins the next block before it is asked for', async () => {
    const { fetched, reads } = disk(2 * BLOCK);
    await reads.read(3 * PACKET, PACKET);
    expect(fetched).toEqual([0]);
    await reads.read(4 * PACKET, PACKET);
    expect(fetched).toEqual([0, 1]);
  });

  it('reads a block again after a write to it', async () => {
    const { content, reads } = disk(2 * BLOCK);
    await reads.read(5 * PACKET, PACKET);
    content.fill(99, BLOCK - 10, BLOCK + 10);
    reads.forget(BLOCK - 10, 20);
    expect((await reads.read(7 * PACKET, PACKET)).at(-1)).toBe(99);
    expect((await reads.read(8 * PACKET, PACKET))[0]).toBe(99);
  });

  it('keeps no more than eight blocks', async () => {
    const { fetched, reads } = disk(10 * BLOCK);
    for (let block = 0; block < 9; block += 1) await reads.read(block * BLOCK, PACKET);
    await reads.read(8 * BLOCK + PACKET, PACKET);
    expect(fetched).toHaveLength(9);
    await reads.read(PACKET, PACKET);
    expect(fetched.at(-1)).toBe(0);
  });

  it('takes what crosses blocks as it is', async () => {
    const { reads } = disk(2 * BLOCK);
    expect(await reads.read(BLOCK - 1, 2)).toEqual(Uint8Array.of(7, 8));
  });

  it('tries again after a failure', async () => {
    let failures = 2;
    const reads = new ReadAhead(BLOCK, async (_, length) => {
      if (failures-- > 0) throw new Error('no');
      return new Uint8Array(length);
    });
    await expect(reads.read(0, 1)).rejects.toThrow('no');
    await expect(reads.read(0, 1)).rejects.toThrow('no');
    expect(await reads.read(0, 1)).toHaveLength(1);
  });
});
