import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Want } from '../../pkg/pleach_browser.js';
import { ContentReader, WANTS_MAX } from './content-reader.js';

const SIZE = 10_000_000;
const KIB_256 = 256 * 1024;

let reader: ContentReader;
let wants: Want[];
let reads: [number, number][];
/** What the engine has and the page was not told of: found on the disk after a reload. */
let kept: number;

beforeEach(() => {
  wants = [];
  reads = [];
  kept = 0;
  reader = new ContentReader({
    sizeBytes: SIZE,
    read: async (offset, length) => {
      reads.push([offset, length]);
      return new Uint8Array(length).map((_, at) => (offset + at) % 251);
    },
    readInto: async (offset, room) => {
      reads.push([offset, room.length]);
      const gone = structuredClone(room, { transfer: [room.buffer] });
      return gone.map((_, at) => (offset + at) % 251);
    },
    heldUntil: (start) => Math.max(start, kept),
    want: (wanted) => (wants = wanted),
  });
});

const all = async (stream: ReadableStream<Uint8Array>): Promise<Uint8Array> => new Uint8Array(await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer());

/** Whether a promise is settled once everything that can run has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => (settled = true), () => (settled = true));
  await new Promise((resolve) => setTimeout(resolve));
  return settled;
}

describe('a read', () => {
  it('gives what is there at once, and waits for the rest', async () => {
    reader.note(100, 300);
    const bytes = all(reader.read(100, 500));
    expect(await isSettled(bytes)).toBe(false);
    expect(reads).toEqual([[100, 200]]);
    reader.note(400, 600);
    expect(await isSettled(bytes)).toBe(false);
    reader.note(300, 400);
    expect(await bytes).toEqual(new Uint8Array(400).map((_, at) => (100 + at) % 251));
    expect(wants).toEqual([]);
  });

  it('takes no more than is taken from it', async () => {
    reader.note(0, SIZE);
    const stream = reader.read(0, SIZE).getReader();
    await stream.read();
    await stream.read();
    await new Promise((resolve) => setTimeout(resolve));
    expect(reads).toEqual([[0, KIB_256], [KIB_256, KIB_256]]);
    await stream.cancel();
  });

  it('fills the room that its reader has, and asks for it only when there are bytes', async () => {
    const room = vi.fn(() => new Uint8Array(2 * KIB_256));
    const stream = reader.read(0, SIZE, { room }).getReader();
    const first = stream.read();
    expect(await isSettled(first)).toBe(false);
    expect(room).not.toHaveBeenCalled();
    reader.note(0, 3 * KIB_256);
    for (const length of [2 * KIB_256, KIB_256]) expect((await (length === KIB_256 ? stream.read() : first)).value).toHaveLength(length);
    expect(reads).toEqual([[0, 2 * KIB_256], [2 * KIB_256, KIB_256]]);
    await stream.cancel();
  });

  it('finds what an earlier visit left', async () => {
    kept = 1_000;
    expect((await all(reader.read(10, 1_000))).length).toBe(990);
  });

  it('of nothing is empty', async () => {
    expect((await all(reader.read(7, 7))).length).toBe(0);
    expect(() => reader.read(7, SIZE + 1)).toThrow(RangeError);
  });

  it('ends with its signal while it waits, and wants nothing any more', async () => {
    const stop = new AbortController();
    const bytes = all(reader.read(0, 10, { signal: stop.signal }));
    const rejected = expect(bytes).rejects.toThrow('enough');
    expect(await isSettled(bytes)).toBe(false);
    stop.abort(new Error('enough'));
    await rejected;
    expect(wants).toEqual([]);
  });

  it('ends when it is cancelled while it waits', async () => {
    const stream = reader.read(0, 10).getReader();
    const read = stream.read();
    await new Promise((resolve) => setTimeout(resolve));
    await stream.cancel();
    expect(await read).toEqual({ done: true, value: undefined });
    expect(wants).toEqual([]);
  });

  it('fails when nothing comes any more, but gives what is there', async () => {
    reader.note(0, 10);
    reader.end(new Error('stopped'));
    expect((await all(reader.read(0, 10))).length).toBe(10);
    await expect(all(reader.read(0, 11))).rejects.toThrow('stopped');
  });

  it('fails if the store gives less than it has', async () => {
    const broken = new ContentReader({ sizeBytes: 9, read: async () => new Uint8Array(1), readInto: async () => new Uint8Array(1), heldUntil: () => 9, want: () => {} });
    await expect(all(broken.read(0, 9))).rejects.toThrow(/instead of 9/);
  });
});

describe('what is wanted', () => {
  it('is what readers lack: the newest player first, then savers in turn', () => {
    reader.note(0, 50);
    reader.read(0, 100);
    reader.read(200, 300);
    reader.read(1_000, 2_000, { playing: true });
    reader.read(5_000, 6_000, { playing: true });
    expect(wants).toEqual([
      { start: 5_000, end: 6_000, bytesPerS: null },
      { start: 50, end: 100, bytesPerS: null },
      { start: 200, end: 300, bytesPerS: null },
    ]);
  });

  it('is what the player lacks that waited last, and others only while they wait', async () => {
    const first = reader.read(0, 100, { playing: true, bytesPerS: () => 125 }).getReader();
    const second = reader.read(500, 600, { playing: true }).getReader();
    expect(wants).toEqual([{ start: 500, end: 600, bytesPerS: null }]);
    const read = first.read();
    await vi.waitFor(() => expect(wants).toEqual([{ start: 0, end: 100, bytesPerS: 125 }]));
    void second.read().catch(() => {});
    await vi.waitFor(() => expect(wants.map(({ start }) => start)).toEqual([500, 0]));
    reader.note(0, 50);
    await read;
    reader.tell();
    expect(wants.map(({ start }) => start)).toEqual([500]);
    await Promise.all([first.cancel(), second.cancel()]);
  });

  it('moves with a seek', async () => {
    const before = reader.read(0, SIZE, { playing: true });
    const after = reader.read(5_000_000, SIZE, { playing: true });
    await before.cancel();
    expect(wants).toEqual([{ start: 5_000_000, end: SIZE, bytesPerS: null }]);
    await after.cancel();
    expect(wants).toEqual([]);
  });

  it('follows a pace that is learnt later', () => {
    const bytesPerS = vi.fn((): number | null => null);
    reader.read(0, SIZE, { playing: true, bytesPerS });
    bytesPerS.mockReturnValue(1_000);
    reader.tell();
    expect(wants).toEqual([{ start: 0, end: SIZE, bytesPerS: 1_000 }]);
  });

  it('is bounded', () => {
    for (let at = 0; at < 30; at += 1) reader.read(at, at + 1);
    expect(wants).toHaveLength(WANTS_MAX);
    expect(wants[0]?.start).toBe(0);
  });
});
