// Sample files that are the same at each run, and digests to compare what arrived.

import { createHash, createCipheriv } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const CHUNK = 1 << 20;

/** Writes `size` bytes that only depend on `seed` and that no compression makes smaller. */
export async function writeSample(file, size, seed = 1) {
  await pipeline(Readable.from(sampleChunks(size, seed)), createWriteStream(file));
}

/** AES in counter mode over zeros: gigabytes a second, unlike a generator written here. */
function* sampleChunks(size, seed) {
  const key = createHash('sha256').update(`pleach sample ${seed}`).digest();
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const zeros = Buffer.alloc(CHUNK);
  for (let left = size; left > 0; left -= CHUNK) yield cipher.update(zeros.subarray(0, Math.min(left, CHUNK)));
}

/** The SHA-256 of a file, in hexadecimal. */
export async function sha256(file) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
