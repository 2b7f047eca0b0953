/** What a request for a file is answered with, as HTTP has it (RFC 9110, 14). */

import type { ContentFile } from '../engine/port.js';
import type { Range } from '../reading/ranges.js';
import { openingOf, safeMediaType } from './media.js';
import type { Head } from './protocol.js';

/** The head, and which bytes of the file follow it: `null` for none. */
export interface Answer {
  readonly head: Head;
  readonly range: Range | null;
}

/** Whatever a stranger's file holds, nothing of it runs, loads or submits in this site's name. */
const NOTHING_RUNS = "default-src 'none'; frame-ancestors 'self'; sandbox";
/** Viewers of PDF do not start in a sandbox; they are no part of the site, and what is told to be a PDF is nothing else. */
const VIEWER_RUNS = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; object-src 'self'; frame-ancestors 'self'";

export function answerOf(file: ContentFile, range: string | null): Answer {
  const sizeBytes = file.end - file.start;
  const wanted = rangeOf(range, sizeBytes);
  if (wanted === 'beyond') return { head: { status: 416, headers: [...always(file), ['content-range', `bytes */${sizeBytes}`]] }, range: null };
  const { start, end } = wanted ?? { start: 0, end: sizeBytes };
  const headers: [string, string][] = [...always(file), ['content-length', String(end - start)]];
  if (wanted) headers.push(['content-range', `bytes ${start}-${end - 1}/${sizeBytes}`]);
  return { head: { status: wanted ? 206 : 200, headers }, range: { start, end } };
}

function always(file: ContentFile): [string, string][] {
  const opening = openingOf(file);
  const mediaType = safeMediaType(file);
  const headers: [string, string][] = [
    ['accept-ranges', 'bytes'],
    ['cache-control', 'no-store'],
    ['content-security-policy', opening === 'pdf' ? VIEWER_RUNS : NOTHING_RUNS],
    ['content-type', mediaType],
    ['cross-origin-resource-policy', 'same-origin'],
    ['x-content-type-options', 'nosniff'],
  ];
  if (mediaType === 'application/octet-stream') headers.push(['content-disposition', 'attachment']);
  return headers;
}

/** `null`: all of it. Several ranges at once, which nobody who plays asks for, are answered with all of it too. */
function rangeOf(header: string | null, sizeBytes: number): Range | 'beyond' | null {
  const [all, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/u.exec(header ?? '') ?? [];
  if (all === undefined || first + last === '') return null;
  if (first === '') {
    const start = Math.max(0, sizeBytes - Number(last));
    return start < sizeBytes ? { start, end: sizeBytes } : 'beyond';
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return null;
  return start < sizeBytes ? { start, end: last === '' ? sizeBytes : Math.min(sizeBytes, Number(last) + 1) } : 'beyond';
}
