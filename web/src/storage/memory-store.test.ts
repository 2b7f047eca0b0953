import { describe, expect, it } from 'vitest';
import { MEMORY_BYTES_MAX, MemoryStore } from './memory-store.js';

const MIB = 1024 * 1024;

async function opened(sizeBytes: number): Promise<MemoryStore> {
  return (await MemoryStore.open({ sizeBytes })).store;
}

/** Bytes that tell their offset. */
function pattern(offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = Math.imul(offset + i, 2_654_435_761) >>> 24;
  return bytes;
}

describe('MemoryStore', () => {
  it('gives back what was written, across parts and out of order', async () => {
    const size = 9 * MIB + 17;
    const store = await opened(size);
    const step = MIB + 4_321;
    const offsets = Array.from({ length: Math.ceil(size / step) }, (_, i) => i * step).reverse();
    for (const offset of offsets) await store.write(offset, pattern(offset, Math.min(step, size - offset)));

    const at = 4 * MIB - 100;
    expect(await store.read(at, 300)).toEqual(pattern(at, 300));
    const room = new Uint8Array(400);
    expect(await store.readInto(at, room.subarray(50, 350))).toEqual(pattern(at, 300));
    expect(room.subarray(50, 350)).toEqual(pattern(at, 300));

    const whole = new Uint8Array(await (await store.file()).arrayBuffer());
    expect(Buffer.compare(whole, pattern(0, size))).toBe(0);
  });

  it('takes a second write to bytes that were complete', async () => {
    const store = await opened(5 * MIB);
    await store.write(0, pattern(0, 5 * MIB));
    await store.write(4 * MIB - 2, Uint8Array.of(1, 2, 3, 4));
    expect(await store.read(4 * MIB - 3, 6)).toEqual(
      Uint8Array.of(...pattern(4 * MIB - 3, 1), 1, 2, 3, 4, ...pattern(4 * MIB + 2, 1)),
    );
    expect((await store.file()).size).toBe(5 * MIB);
  });

  it('gives fewer bytes at its end', async () => {
    const store = await opened(10);
    expect(await store.read(6, 10)).toHaveLength(4);
    expect(await store.read(20, 10)).toHaveLength(0);
    expect(await store.readInto(6, new Uint8Array(10))).toHaveLength(4);
    expect(await store.readInto(20, new Uint8Array(10))).toHaveLength(0);
  });

  it('refuses writes beyond its end', async () => {
    const store = await opened(10);
    await expect(store.write(8, new Uint8Array(3))).rejects.toThrow(RangeError);
  });

  it('refuses what is more than it keeps, with both sizes', async () => {
    await expect(MemoryStore.open({ sizeBytes: MEMORY_BYTES_MAX + 1 })).rejects.toMatchObject({
      code: 'too-large',
      neededBytes: MEMORY_BYTES_MAX + 1,
      availableBytes: MEMORY_BYTES_MAX,
    });
  });

  it('forgets when it is closed', async () => {
    const store = await opened(10);
    await store.close();
    await expect(store.read(0, 1)).rejects.toMatchObject({ code: 'closed' });
  });
});
