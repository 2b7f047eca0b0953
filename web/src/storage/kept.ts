/**
 * What this site keeps on the device, over all contents: a list, deleting, and making room for one more.
 *
 * `pleach/<content id>/about` says of each content what people ask: its name (none if it is encrypted: the name is as
 * secret as the rest), at which page it was opened (none if its key is in the address), how much of it is there, when it
 * was used last. Nothing else depends on it: what can't be read
 * counts as not known. A content is in use while somebody holds its Web Lock; only who has got the lock deletes it.
 *
 * Room is counted by full sizes, since a content's file has its size from the start. What was used longest ago goes first.
 */

import { lockName } from './content-lock.js';
import { estimateSpace, inMegabytes, noSpace, StoreError, type SpaceEstimate } from './store.js';

/** One content that is kept. */
export interface KeptContent {
  readonly id: string;
  /** As the author gave it; may be hostile, see `store/names.ts`. Empty if it is encrypted or not known. */
  readonly name: string;
  /** Where on this site it can be opened again: a path, with what follows it. Empty if that has a key or is not known. */
  readonly page: string;
  /** Of the whole, for which there is room. */
  readonly sizeBytes: number;
  /** Of which so much is there, as far as was noted. */
  readonly heldBytes: number;
  /** Milliseconds since 1970; 0 if not known. */
  readonly lastUsedMs: number;
  /** Open in some tab. */
  readonly isInUse: boolean;
}

/** What `about` tells. */
export type About = Omit<KeptContent, 'id' | 'isInUse'>;

/** A longer `about` is none of ours. */
const ABOUT_BYTES_MAX = 16 * 1024;
const NAME_CHARACTERS_MAX = 1_024;
/** A longer address is not noted: it would be another. */
const PAGE_CHARACTERS_MAX = 4_096;
/** Without a word from the site: so much of what the browser lets it have. The rest is for copies on their way, and others. */
const QUOTA_SHARE = 0.5;
/** One at a time makes room; the others wait. */
const ROOM_LOCK = 'pleach-room';

/** The folder of all contents; `null` if nothing was ever kept. */
async function keptFolder(): Promise<FileSystemDirectoryHandle | null> {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle('pleach').catch(unlessMissing);
}

/** Everything that is kept, what was used last first. */
export async function listKept(): Promise<KeptContent[]> {
  const all = await keptFolder();
  if (!all) return [];
  const { held } = await navigator.locks.query();
  const locked = new Set(held?.map(({ name }) => name));
  const contents: KeptContent[] = [];
  for await (const [id, handle] of all.entries()) {
    if (handle.kind !== 'directory' || !/^[0-9a-f]{64}$/.test(id)) continue;
    contents.push({ id, ...(await look(handle as FileSystemDirectoryHandle)), isInUse: locked.has(lockName(id)) });
  }
  return contents.sort((one, other) => other.lastUsedMs - one.lastUsedMs || (one.id < other.id ? -1 : 1));
}

async function look(folder: FileSystemDirectoryHandle): Promise<About> {
  const about = await readAbout(folder);
  // The file itself tells its size better, but not every browser gives it out while it is open.
  const data = await fileIn(folder, 'data');
  const sizeBytes = data?.size ?? about?.sizeBytes ?? 0;
  return {
    name: about?.name ?? '',
    page: about?.page ?? '',
    sizeBytes,
    heldBytes: Math.min(about?.heldBytes ?? 0, sizeBytes),
    lastUsedMs: about?.lastUsedMs ?? data?.lastModified ?? 0,
  };
}

/** What is noted of a content; `null` if nothing is, or nothing that can be read. */
export async function readAbout(folder: FileSystemDirectoryHandle): Promise<About | null> {
  const file = await fileIn(folder, 'about');
  if (!file || file.size > ABOUT_BYTES_MAX) return null;
  return parseAbout(await file.text().catch(() => ''));
}

export function formatAbout({ name, page, sizeBytes, heldBytes, lastUsedMs }: About): string {
  return JSON.stringify({ name: name.slice(0, NAME_CHARACTERS_MAX), page: pageOf(page), sizeBytes, heldBytes, lastUsedMs });
}

export function parseAbout(text: string): About | null {
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof told !== 'object' || told === null) return null;
  const { name, page, sizeBytes, heldBytes, lastUsedMs } = told as Record<string, unknown>;
  if (typeof name !== 'string' || !isCount(sizeBytes) || !isCount(heldBytes) || !isCount(lastUsedMs)) return null;
  return { name: name.slice(0, NAME_CHARACTERS_MAX), page: pageOf(page), sizeBytes, heldBytes, lastUsedMs };
}

/** A path on this site: whatever was noted, it leads nowhere else and runs nothing. */
function pageOf(page: unknown): string {
  const isPath = typeof page === 'string' && page.length <= PAGE_CHARACTERS_MAX && /^\/(?![/\\])[\x21-\x7e]*$/.test(page);
  return isPath ? page : '';
}

/** Deletes a content, unless it is open in some tab; whether it is gone. */
export function removeKept(content: string): Promise<boolean> {
  return navigator.locks.request(lockName(content), { ifAvailable: true }, async (lock) => {
    if (!lock) return false;
    try {
      await (await keptFolder())?.removeEntry(content, { recursive: true }).catch(unlessMissing);
      return true;
    } catch (error) {
      // Somebody has a file of it open without the lock.
      if (nameOf(error) === 'NoModificationAllowedError') return false;
      throw error;
    }
  });
}

/**
 * How much a site keeps at most: what it says; else a share of what the browser lets it, beyond which only what is in use
 * is kept; without end where that is not told.
 */
export function quotaOf(wantedBytes: number | null, space: SpaceEstimate | undefined): number {
  if (wantedBytes !== null) return wantedBytes;
  return space ? Math.floor((space.usedBytes + space.availableBytes) * QUOTA_SHARE) : Infinity;
}

/** What needs room. */
export interface RoomWanted {
  /** Is never deleted for it. */
  readonly content: string;
  /** More than there is now. */
  readonly moreBytes: number;
  /** Whether that counts for `quotaBytes`; what lies beside a content for a moment does not. */
  readonly isKept: boolean;
  /** See `quotaOf`. */
  readonly quotaBytes: number | null;
}

/**
 * Makes room, then takes it. Rejects with `no-space`, and deletes nothing, if it is known beforehand that all that may be
 * deleted is not enough. Browsers tell of more room than there is: what `take` finds missing is made, piece by piece.
 */
export function withRoom<T>(wanted: RoomWanted, take: () => T | Promise<T>): Promise<T> {
  return navigator.locks.request(ROOM_LOCK, async () => {
    if (wanted.moreBytes > 0) await makeRoom(wanted);
    for (;;) {
      try {
        return await take();
      } catch (error) {
        if (nameOf(error) !== 'QuotaExceededError' || !(await removeOldest(wanted.content))) throw error;
      }
    }
  });
}

/** Deletes what was used longest ago; whether there was anything that may be deleted. */
async function removeOldest(spared: string): Promise<boolean> {
  for (const { id } of await removable(spared)) if (await removeKept(id)) return true;
  return false;
}

/** What may be deleted for another content, what was used longest ago first. */
async function removable(spared: string, kept?: readonly KeptContent[]): Promise<KeptContent[]> {
  return (kept ?? (await listKept())).filter(({ id, isInUse }) => id !== spared && !isInUse).reverse();
}

async function makeRoom({ content, moreBytes, isKept, quotaBytes }: RoomWanted): Promise<void> {
  const [kept, space] = [await listKept(), await estimateSpace()];
  const others = await removable(content, kept);
  const keptBytes = sum(kept);
  // A site's word is kept to; without one, what is downloaded is not refused for a share that is only a guess.
  const leastBytes = quotaBytes === null ? keptBytes - sum(others) + moreBytes : 0;
  const quota = isKept ? Math.max(quotaOf(quotaBytes, space), leastBytes) : Infinity;
  const freeBytes = Math.min(quota - keptBytes, space?.availableBytes ?? Infinity);
  if (freeBytes + sum(others) < moreBytes) {
    const isOurs = quota - keptBytes < (space?.availableBytes ?? Infinity);
    throw isOurs ? aboveQuota(moreBytes, quota, keptBytes - sum(others)) : new StoreError(noSpace(moreBytes, freeBytes + sum(others)));
  }
  let missingBytes = moreBytes - freeBytes;
  for (const { id, sizeBytes } of others) {
    if (missingBytes <= 0) return;
    if (await removeKept(id)) missingBytes -= sizeBytes;
  }
  // Something was opened meanwhile.
  if (missingBytes > 0) throw new StoreError(noSpace(moreBytes, moreBytes - missingBytes));
}

function aboveQuota(neededBytes: number, quotaBytes: number, inUseBytes: number): StoreError {
  const inUse = inUseBytes > 0 ? `, of which ${inMegabytes(inUseBytes)} are in use` : '';
  return new StoreError({
    code: 'no-space',
    message: `This site keeps ${inMegabytes(quotaBytes)} at most${inUse}: ${inMegabytes(neededBytes)} are needed.`,
    neededBytes,
    availableBytes: Math.max(0, quotaBytes - inUseBytes),
  });
}

function sum(contents: readonly KeptContent[]): number {
  return contents.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0);
}

async function fileIn(folder: FileSystemDirectoryHandle, name: string): Promise<File | null> {
  try {
    return await (await folder.getFileHandle(name)).getFile();
  } catch {
    return null;
  }
}

function unlessMissing(error: unknown): null {
  if (nameOf(error) === 'NotFoundError') return null;
  throw error;
}

function nameOf(error: unknown): string {
  return error instanceof Error || error instanceof DOMException ? error.name : '';
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
