/**
 * Names of files come from strangers. Two uses, two cures: on the screen a name must not reorder or hide the text
 * around it, on the disk it must be one plain file name.
 */

/** Control characters, and the marks that change the direction of what follows: `exe.‮fdp` must not read as `.pdf`. */
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/gu;
/** What Windows, macOS or Linux forbid in a name. */
const FORBIDDEN = /[/\\:*?"<>|]/gu;
/** Names that Windows takes for devices. */
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)/iu;
/** Longest name in UTF-8 that common file systems take, less what a browser adds: ` (1)`, `.crdownload`. */
const NAME_BYTES_MAX = 220;

/** The name to show. */
export function displayName(name: string): string {
  return name.replace(INVISIBLE, '').trim() || 'Unnamed file';
}

/** The name to save under. */
export function fileName(name: string): string {
  const plain = name
    .replace(INVISIBLE, '')
    .replace(FORBIDDEN, '_')
    .replace(RESERVED, '_$1')
    .replace(/^[.\s]+|[.\s]+$/gu, '');
  return shorten(plain) || 'download';
}

/** Paths to save under, each component a mere name; where two became the same, the later one is counted up. */
export function filePaths(paths: readonly string[]): string[] {
  const taken = new Set<string>();
  return paths.map((path) => {
    const plain = path.split('/').map(fileName).join('/');
    let free = plain;
    for (let count = 2; taken.has(free.toLowerCase()); count += 1) free = plain.replace(/(\.[^./]{1,16})?$/u, ` (${count})$1`);
    taken.add(free.toLowerCase());
    return free;
  });
}

/** Cuts the stem, never the extension and never inside a character. */
function shorten(name: string): string {
  const bytes = (text: string): number => new TextEncoder().encode(text).length;
  if (bytes(name) <= NAME_BYTES_MAX) return name;
  const extension = /\.[^.\s]{1,16}$/u.exec(name)?.[0] ?? '';
  const stem = Array.from(name.slice(0, name.length - extension.length));
  while (stem.length > 0 && bytes(stem.join('')) + bytes(extension) > NAME_BYTES_MAX) stem.pop();
  return stem.join('') + extension;
}
