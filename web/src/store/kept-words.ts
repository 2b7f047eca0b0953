/** What is kept on the device, in plain words: a pure function of the list. See `storage/kept.ts`. */

import type { KeptContent } from '../storage/kept.js';
import { formatBytes, formatCount, percent } from './format.js';
import { displayName } from './names.js';

export interface KeptLine {
  readonly id: string;
  readonly name: string;
  /** Where it is opened again; `null` if only its own link does that. */
  readonly href: string | null;
  /** What to do where it is not; else empty. */
  readonly hint: string;
  /** `589 MB of 1.4 GB`, `used 2 days ago`, `open in a tab` */
  readonly facts: string;
  /** 0 to 1. */
  readonly held: number;
  /** What is open can't be deleted. */
  readonly canDelete: boolean;
}

export interface KeptView {
  /** `3 files or folders, 2.1 GB of at most 20 GB` */
  readonly summary: string;
  readonly lines: readonly KeptLine[];
  /** Whether there is more than one that can be deleted. */
  readonly canDeleteAll: boolean;
  /** Asked before all of it goes. */
  readonly question: string;
}

export const EMPTY = 'Nothing is kept here. What you download stays on this device until you delete it, so that a reload goes on where it was.';
const BY_LINK = 'Opens by the link that you got.';
/** What has no name is encrypted, or its note is torn. */
const BY_LINK_WITH_KEY = 'Opens by the link that you got: a key in it is not kept here.';
export const UNSUPPORTED = 'This browser lets this page keep nothing, so there is nothing to delete.';

/** `quotaBytes`: `Infinity` where nobody can tell. */
export function keptView(kept: readonly KeptContent[], quotaBytes: number, nowMs: number): KeptView {
  const deletable = kept.filter(({ isInUse }) => !isInUse);
  const inAll = formatBytes(sum(kept));
  const most = Number.isFinite(quotaBytes) ? ` of at most ${formatBytes(quotaBytes)}` : '';
  return {
    summary: kept.length === 0 ? '' : `${formatCount(kept.length, 'file or folder', 'files and folders')}, ${inAll}${most}`,
    lines: kept.map((content) => lineOf(content, nowMs)),
    canDeleteAll: deletable.length > 1,
    question: `Delete ${deletable.length === kept.length ? 'all' : 'those that are not open,'} ${formatBytes(sum(deletable))}? They would have to be downloaded again.`,
  };
}

function lineOf(content: KeptContent, nowMs: number): KeptLine {
  const { id, name, page, sizeBytes, heldBytes, isInUse } = content;
  const isWhole = heldBytes >= sizeBytes;
  const size = isWhole ? formatBytes(sizeBytes) : `${formatBytes(heldBytes)} of ${formatBytes(sizeBytes)}`;
  return {
    id,
    name: name === '' ? `No name, ${id.slice(0, 8)}…` : displayName(name),
    href: page === '' ? null : page,
    hint: page !== '' ? '' : name === '' ? BY_LINK_WITH_KEY : BY_LINK,
    facts: [size, isInUse ? 'open in a tab' : lastUsed(content, nowMs)].filter((fact) => fact !== '').join(' · '),
    held: sizeBytes === 0 ? 1 : percent(heldBytes / sizeBytes) / 100,
    canDelete: !isInUse,
  };
}

/** What a screen reader says after a deletion. */
export function deletedWords(names: readonly string[], failed: number): string {
  const gone = names.length === 1 ? `${names[0]} is deleted.` : names.length > 1 ? `${names.length} are deleted.` : '';
  const left = failed > 0 ? `${formatCount(failed, 'is', 'are')} open in a tab and ${failed === 1 ? 'stays' : 'stay'}.` : '';
  return [gone, left].filter((part) => part !== '').join(' ');
}

const STEPS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['year', 365 * 86_400],
  ['month', 30 * 86_400],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

function lastUsed({ lastUsedMs }: KeptContent, nowMs: number): string {
  if (lastUsedMs === 0) return '';
  // A clock that was set back makes no future.
  const seconds = Math.max(0, (nowMs - lastUsedMs) / 1000);
  const [unit, length] = STEPS.find(([, atLeast]) => seconds >= atLeast) ?? ['minute', 60];
  const count = Math.floor(seconds / length);
  return count === 0 ? 'used just now' : `used ${new Intl.RelativeTimeFormat('en').format(-count, unit)}`;
}

function sum(kept: readonly KeptContent[]): number {
  return kept.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0);
}
