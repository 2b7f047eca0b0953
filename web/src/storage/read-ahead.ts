/**
 * Reads in blocks, ahead of who asks for packets in order.
 *
 * An engine that feeds another reads packet by packet, each only when the channel has room for it. Had each to be waited
 * for, the channel would run dry meanwhile. So a read fetches the whole block around it, and one in a block's second
 * half the next block too; what follows is there already.
 *
 * A block is kept until all of it was read, or until others are wanted more. A write makes it forgotten: a read sees
 * every write that was made before it.
 */

/** Eight packets. */
const BLOCK_BYTES = 512 * 1024;
/** 4 MiB: two blocks for each of four children at different places. */
const BLOCKS_MAX = 8;

interface Block {
  readonly bytes: Promise<Uint8Array>;
  unreadBytes: number;
}

export type Fetch = (offset: number, length: number) => Promise<Uint8Array>;

export class ReadAhead {
  readonly #sizeBytes: number;
  readonly #fetch: Fetch;
  /** By number, the one used longest ago first. */
  readonly #blocks = new Map<number, Block>();

  /** `fetch` must take in writes and reads in the order in which they are made. */
  constructor(sizeBytes: number, fetch: Fetch) {
    this.#sizeBytes = sizeBytes;
    this.#fetch = fetch;
  }

  /** The bytes may be part of a larger buffer. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const number = Math.floor(offset / BLOCK_BYTES);
    const at = offset - number * BLOCK_BYTES;
    if (at + length > BLOCK_BYTES) return this.#fetch(offset, length);
    const block = this.#use(number);
    block.unreadBytes -= length;
    if (block.unreadBytes <= 0) this.#blocks.delete(number);
    if (at >= BLOCK_BYTES / 2 && (number + 1) * BLOCK_BYTES < this.#sizeBytes) this.#use(number + 1);
    return (await block.bytes).subarray(at, at + length);
  }

  /** Something is being written there. */
  forget(offset: number, length: number): void {
    const end = Math.ceil((offset + length) / BLOCK_BYTES);
    for (let number = Math.floor(offset / BLOCK_BYTES); number < end; number += 1) this.#blocks.delete(number);
  }

  #use(number: number): Block {
    const block = this.#blocks.get(number) ?? this.#begin(number);
    this.#blocks.delete(number);
    this.#blocks.set(number, block);
    for (const oldest of this.#blocks.keys()) {
      if (this.#blocks.size <= BLOCKS_MAX) break;
      this.#blocks.delete(oldest);
    }
    return block;
  }

  #begin(number: number): Block {
    const offset = number * BLOCK_BYTES;
    const length = Math.min(BLOCK_BYTES, this.#sizeBytes - offset);
    const block: Block = { bytes: this.#fetch(offset, length), unreadBytes: length };
    // Who reads of it hears of a failure; the next one tries again.
    block.bytes.catch(() => {
      if (this.#blocks.get(number) === block) this.#blocks.delete(number);
    });
    return block;
  }
}
