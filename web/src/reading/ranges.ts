/**
 * Which bytes of a content are there: stretches in order, none touching the next.
 *
 * Bytes come from many sides at once, each side in order, so there are few stretches beside the many packets, and the
 * list of them is short. At worst every second piece is there, and the list is as long as half the pieces.
 */

/** From `start` up to, and without, `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export class Ranges {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  /** How many stretches there are. */
  get count(): number {
    return this.#starts.length;
  }

  add(start: number, end: number): void {
    if (end <= start) return;
    // All that touch the new one become one with it.
    const first = firstAtLeast(this.#ends, start);
    const after = firstAtLeast(this.#starts, end + 1);
    const from = Math.min(start, this.#starts[first] ?? start);
    const to = Math.max(end, this.#ends[after - 1] ?? end);
    if (after - first === 1) {
      this.#starts[first] = from;
      this.#ends[first] = to;
      return;
    }
    this.#starts.splice(first, after - first, from);
    this.#ends.splice(first, after - first, after > first ? to : end);
  }

  /** Up to where there is no gap from `start` on; `start` itself if its byte is missing. */
  until(start: number): number {
    const at = firstAtLeast(this.#ends, start + 1);
    return (this.#starts[at] ?? Infinity) <= start ? (this.#ends[at] as number) : start;
  }

  /** How many bytes of each part are there. Parts are in order and do not overlap. */
  bytesIn(parts: readonly Range[]): Float64Array {
    const bytes = new Float64Array(parts.length);
    let at = 0;
    parts.forEach(({ start, end }, part) => {
      while (at < this.#ends.length && (this.#ends[at] as number) <= start) at += 1;
      for (let next = at; next < this.#starts.length && (this.#starts[next] as number) < end; next += 1) {
        const from = Math.max(start, this.#starts[next] as number);
        bytes[part] = (bytes[part] as number) + Math.min(end, this.#ends[next] as number) - from;
      }
    });
    return bytes;
  }
}

/** The first place in a sorted list whose value is at least `value`. */
function firstAtLeast(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
