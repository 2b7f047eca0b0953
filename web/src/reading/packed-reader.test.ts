import { describe, expect, it } from 'vitest';
import type { PackedContent } from '../packing/packed-content.js';
import type { PackedFile } from '../packing/protocol.js';
import { ContentReader } from './content-reader.js';
import { PackedReader } from './packed-reader.js';

const SEGMENT = 10;
const PACKED = 12;
const SIZE = 35;
const PLAIN = Uint8Array.from({ length: SIZE }, (_, at) => at);

/** Segments of 10 bytes, each packed into 12: its number, its bytes, and a tag. */
const PACKED_BYTES = Uint8Array.from(
  [0, 1, 2, 3].flatMap((segment) => [segment, ...PLAIN.slice(segment * SEGMENT, (segment + 1) * SEGMENT), 255]),
);

function file(path: string, start: number, end: number): PackedFile {
  const packedEnd = Math.min(PACKED_BYTES.length, (Math.floor((end - 1) / SEGMENT) + 1) * PACKED);
  return { path, mediaType: '', start, end, packedStart: Math.floor(start / SEGMENT) * PACKED, packedEnd };
}

class FakePacked implements PackedContent {
  decoded: number[] = [];
  readonly isClosed = false;
  readonly info = {
    name: 'Plans',
    mediaType: '',
    files: [file('a', 0, 5), file('b', 5, 35)],
    sizeBytes: SIZE,
    packedBytes: PACKED_BYTES.length,
    isEncrypted: true,
  };

  async segmentAt(offset: number) {
    if (offset >= SIZE) throw new RangeError('beyond');
    const segment = Math.floor(offset / SEGMENT);
    const [start, packedStart] = [segment * SEGMENT, segment * PACKED];
    return { segment, start, end: Math.min(SIZE, start + SEGMENT), packedStart, packedEnd: Math.min(PACKED_BYTES.length, packedStart + PACKED) };
  }

  async decode(segment: number, packed: Uint8Array<ArrayBuffer>) {
    if (packed[0] !== segment || packed.at(-1) !== 255) throw new Error(`segment ${segment} can't be unpacked`);
    this.decoded.push(segment);
    return packed.slice(1, -1);
  }

  close() {}
}

const UNUSED = (): never => {
  throw new Error('each read makes a buffer');
};

/** A content of which everything is there, or what is noted. */
function open({ there = true, bytes = PACKED_BYTES } = {}) {
  const wants: string[] = [];
  const paces: (number | null)[] = [];
  const content = new ContentReader({
    sizeBytes: bytes.length,
    read: UNUSED,
    readInto: async (offset, room) => {
      const own = structuredClone(room, { transfer: [room.buffer] });
      own.set(bytes.subarray(offset, offset + own.length));
      return own;
    },
    heldUntil: (start) => start,
    want: (told) => {
      wants.push(told.map(({ start, end }) => `${start}-${end}`).join());
      paces.push(...told.map(({ bytesPerS }) => bytesPerS));
    },
  });
  if (there) content.note(0, bytes.length);
  const packed = new FakePacked();
  return { reader: new PackedReader(content, packed), content, packed, wants, paces };
}

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<number[]> {
  const bytes: number[] = [];
  const reader = stream.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) bytes.push(...part.value);
  return bytes;
}

describe('reads of packed content', () => {
  it('give every stretch of the files', async () => {
    for (let start = 0; start <= SIZE; start += 1) {
      for (let end = start; end <= SIZE; end += 3) {
        const { reader } = open();
        expect(await bytesOf(reader.read(start, end))).toEqual([...PLAIN.slice(start, end)]);
      }
    }
    expect(() => open().reader.read(0, SIZE + 1)).toThrow(RangeError);
  });

  it('want what their segments are packed in, at the pace of what is transported, and wait for it', async () => {
    const { reader, content, wants, paces } = open({ there: false });
    const read = bytesOf(reader.read(8, 12, { playing: true, bytesPerS: () => 35 }));
    await expect.poll(() => wants.at(-1)).toBe('0-24');
    expect(paces.at(-1)).toBe(PACKED_BYTES.length);
    content.note(12, 24);
    content.note(0, 12);
    expect(await read).toEqual([8, 9, 10, 11]);
    expect(wants.at(-1)).toBe('');
  });

  it('put a segment together that comes in parts', async () => {
    const { reader, content, wants } = open({ there: false });
    const read = bytesOf(reader.read(0, 20));
    await expect.poll(() => wants.at(-1)).toBe('0-24');
    for (let end = 5; end <= 25; end += 5) {
      content.note(end - 5, end);
      await expect.poll(() => content.until(0)).toBe(end);
    }
    expect(await read).toEqual([...PLAIN.slice(0, 20)]);
  });

  it('decode a segment once for those who read beside each other', async () => {
    const { reader, packed } = open();
    for (const start of [11, 13, 12]) await bytesOf(reader.read(start, start + 2));
    expect(packed.decoded).toEqual([1]);
  });

  it('fail where a segment is not what its author said', async () => {
    const bytes = PACKED_BYTES.slice();
    bytes[12] = 9;
    const { reader, wants } = open({ bytes });
    expect(await bytesOf(reader.read(0, 10))).toHaveLength(10);
    await expect(bytesOf(reader.read(5, 15))).rejects.toThrow(/segment 1 can't be unpacked/);
    expect(wants.at(-1)).toBe('');
  });

  it('end when they are given up', async () => {
    const { reader, wants } = open({ there: false });
    const giveUp = new AbortController();
    const read = bytesOf(reader.read(0, 10, { signal: giveUp.signal }));
    await expect.poll(() => wants.at(-1)).toBe('0-12');
    giveUp.abort(new Error('given up'));
    await expect(read).rejects.toThrow('given up');
    expect(wants.at(-1)).toBe('');
  });

  it('use the buffers of segments again, but of none that somebody is in', async () => {
    const [segmentBytes, segments] = [8 * 1024 * 1024, 6];
    const buffers = new Set<ArrayBufferLike>();
    const sizeBytes = segments * segmentBytes;
    const packed: PackedContent = {
      ...new FakePacked(),
      info: { ...new FakePacked().info, sizeBytes, packedBytes: sizeBytes },
      segmentAt: async (offset) => {
        const segment = Math.floor(offset / segmentBytes);
        const [start, end] = [segment * segmentBytes, (segment + 1) * segmentBytes];
        return { segment, start, end, packedStart: start, packedEnd: end };
      },
      decode: async (_, bytes) => {
        buffers.add(bytes.buffer);
        return bytes;
      },
      close: () => {},
    };
    const readInto = async (offset: number, room: Uint8Array): Promise<Uint8Array> => room.fill(1 + Math.floor(offset / segmentBytes));
    const content = new ContentReader({ sizeBytes, read: UNUSED, readInto, heldUntil: () => sizeBytes, want: () => {} });
    content.note(0, sizeBytes);
    const reader = new PackedReader(content, packed);
    const slow = reader.read(0, sizeBytes, { isLent: true }).getReader();
    const first = (await slow.read()).value as Uint8Array;
    const quick = reader.read(0, sizeBytes, { isLent: true }).getReader();
    let at = 0;
    for (let part = await quick.read(); !part.done; part = await quick.read()) {
      const number = 1 + Math.floor(at / segmentBytes);
      expect([part.value[0], part.value.at(-1)]).toEqual([number, number]);
      at += part.value.length;
    }
    expect(at).toBe(sizeBytes);
    expect([first[0], ((await slow.read()).value as Uint8Array)[0]]).toEqual([1, 1]);
    // Two are kept, one is being read, one the slow reader is in.
    expect(buffers.size).toBeLessThanOrEqual(4);
  });

  it('tell how much of each file is there', () => {
    const { reader, content } = open({ there: false });
    expect([...reader.filesHeld()]).toEqual([0, 0]);
    content.note(0, 12);
    expect([...reader.filesHeld()]).toEqual([5, Math.floor((30 * 12) / PACKED_BYTES.length)]);
    content.note(12, PACKED_BYTES.length);
    expect([...reader.filesHeld()]).toEqual([5, 30]);
  });
});
