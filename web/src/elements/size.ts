/** Reads attributes that are sizes, `quota` and `source-limit`: `500MB`, `2 GB`, `0`. What makes no sense counts as absent. */

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };

/** Bytes, or `null` without a word. */
export function parseSize(value: string | null): number | null {
  const found = /^(\d{1,6}(?:\.\d{1,3})?)\s*([kmgt]?)b?$/u.exec((value ?? '').trim().toLowerCase());
  return found ? Math.floor(Number(found[1]) * (UNITS[found[2] ?? ''] as number)) : null;
}
