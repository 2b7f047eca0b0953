/**
 * What was opened by a password stays open while the page lives, so that nobody is asked again who stops and goes on. The
 * key stays where it is, in the memory of its worker; the password is kept nowhere.
 */

import type { PackedContent } from './packed-content.js';

/** More are closed, those that were put aside first before: each has a worker. */
export const UNLOCKED_MAX = 4;

/** By the digest of their manifests. */
const unlocked = new Map<string, PackedContent>();

/** For who goes on with it; nobody else gets it then. */
export function takeUnlocked(digest: string): PackedContent | null {
  const content = unlocked.get(digest) ?? null;
  unlocked.delete(digest);
  return content?.isClosed ? null : content;
}

export function putAsideUnlocked(digest: string, content: PackedContent): void {
  takeUnlocked(digest)?.close();
  unlocked.set(digest, content);
  for (const [oldest, { close }] of unlocked) {
    if (unlocked.size <= UNLOCKED_MAX) return;
    unlocked.delete(oldest);
    close();
  }
}
