/**
 * The files of a folder as a list for people: by folder and name, found by a part of their path, a page at a time, so
 * that ten thousand cost the browser what a few do. Every text of the list is made here.
 */

import type { ContentFile } from '../engine/port.js';
import { openingOf } from '../playing/media.js';
import { formatBytes, formatCount, formatPercent } from './format.js';
import { displayName } from './names.js';
import { canRead, canSaveFile, isComplete, type DownloadState } from './state.js';
import { kindOf, openLabel, type FileKind } from './words.js';

/** Rows of a page. */
export const PAGE_ROWS = 25;
/** With fewer files nobody needs to search. */
const SEARCH_FILES_MIN = 13;

export interface FileRow {
  /** The file's number in the content. */
  readonly file: number;
  /** Told where it is another than that of the row before: `2031 › talks`; empty for files in no folder. */
  readonly folder: string | null;
  readonly name: string;
  readonly kind: FileKind;
  /** `12 MB`, `3.1 of 12 MB`. */
  readonly size: string;
  /** Whether it is here, and what becomes of it. */
  readonly status: string;
  readonly tone: 'waiting' | 'coming' | 'here' | 'failed';
  /** 0 to 1. */
  readonly progress: number;
  /** What the button to open it says; empty without one. */
  readonly open: string;
  readonly save: { readonly label: string; readonly action: 'save' | 'cancel' | null };
}

export interface FileList {
  readonly rows: readonly FileRow[];
  /** `12 files, 3 of them here`. */
  readonly summary: string;
  /** `1–50 of 312`; empty where all are shown. */
  readonly span: string;
  /** From 0. */
  readonly page: number;
  readonly pages: number;
  readonly searchable: boolean;
}

/** What is to be shown. */
export interface FileQuery {
  readonly search: string;
  readonly page: number;
}

interface Place {
  readonly file: number;
  readonly folder: string;
  readonly path: string;
}

const orders = new WeakMap<readonly ContentFile[], readonly Place[]>();
const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** By folder, then name, as people count: 2 before 10. Those in no folder come first. */
function ordered(files: readonly ContentFile[]): readonly Place[] {
  const known = orders.get(files);
  if (known) return known;
  const places = files.map(({ path }, file) => ({ file, path, folder: path.slice(0, Math.max(0, path.lastIndexOf('/'))) }));
  places.sort((a, b) => collator.compare(a.folder, b.folder) || collator.compare(a.path, b.path));
  orders.set(files, places);
  return places;
}

export function fileList(state: DownloadState, { search, page }: FileQuery): FileList {
  const files = state.content?.files ?? [];
  const all = ordered(files);
  const wanted = search.trim().toLowerCase();
  const found = wanted === '' ? all : all.filter(({ path }) => path.toLowerCase().includes(wanted));
  const pages = Math.max(1, Math.ceil(found.length / PAGE_ROWS));
  const shown = Math.min(Math.max(0, page), pages - 1);
  const places = found.slice(shown * PAGE_ROWS, (shown + 1) * PAGE_ROWS);
  const first = shown * PAGE_ROWS + 1;
  return {
    rows: places.map((place, at) => rowOf(state, place, places[at - 1]?.folder ?? null)),
    summary: summaryOf(state, found.length, wanted !== ''),
    span: pages > 1 ? `${count(first)}–${count(first + places.length - 1)} of ${count(found.length)}` : '',
    page: shown,
    pages,
    searchable: files.length >= SEARCH_FILES_MIN,
  };
}

const count = (number: number): string => number.toLocaleString('en');

function summaryOf({ content, filesHeld }: DownloadState, found: number, searched: boolean): string {
  const files = content?.files ?? [];
  if (searched) return found === 0 ? 'No file is called so' : `${formatCount(found, 'file', 'files')} found`;
  const here = files.filter(({ start, end }, at) => end - start <= (filesHeld?.[at] ?? -1)).length;
  const all = formatCount(files.length, 'file', 'files');
  if (here === files.length) return `${all}, all here`;
  return here > 0 ? `${all}, ${count(here)} of them here` : all;
}

function rowOf(state: DownloadState, { file, folder }: Place, folderBefore: string | null): FileRow {
  const { path, start, end, mediaType } = state.content?.files[file] as ContentFile;
  const sizeBytes = end - start;
  const heldBytes = state.filesHeld?.[file] ?? 0;
  const isHere = isComplete(state.phase) || (state.filesHeld !== null && heldBytes >= sizeBytes);
  const opening = openingOf({ path, mediaType });
  const kind = opening === 'pdf' ? 'text' : (opening ?? kindOf(mediaType).kind);
  return {
    file,
    folder: folder === folderBefore ? null : folderName(folder),
    name: displayName(path.slice(path.lastIndexOf('/') + 1)),
    kind,
    size: formatBytes(sizeBytes),
    ...standing(state, file, heldBytes, sizeBytes, isHere),
    progress: isHere ? 1 : sizeBytes > 0 ? Math.min(1, heldBytes / sizeBytes) : 0,
    open: canRead(state.phase) ? openLabel({ path, mediaType }) : '',
    save: saveButton(state, file),
  };
}

/** The folder's name, marks taken out of each component. */
function folderName(folder: string): string {
  return folder === '' ? '' : folder.split('/').map(displayName).join(' › ');
}

function standing(state: DownloadState, file: number, heldBytes: number, sizeBytes: number, isHere: boolean): Pick<FileRow, 'status' | 'tone'> {
  const saving = state.fileSaves.get(file);
  if (saving?.status === 'failed') return { status: `Could not be written: ${saving.reason}`, tone: 'failed' };
  if (saving?.status === 'saving') {
    const share = formatPercent(sizeBytes > 0 ? saving.savedBytes / sizeBytes : 0);
    return { status: isHere || saving.savedBytes > 0 ? `Saving, ${share}` : 'Saved when it comes', tone: 'coming' };
  }
  if (saving?.status === 'saved') return { status: saving.how === 'download' ? 'In your downloads' : 'Saved', tone: 'here' };
  if (isHere) return { status: 'Here, verified', tone: 'here' };
  if (heldBytes > 0) return { status: formatPercent(heldBytes / sizeBytes), tone: 'coming' };
  return { status: 'Not here yet', tone: 'waiting' };
}

function saveButton(state: DownloadState, file: number): FileRow['save'] {
  const saving = state.fileSaves.get(file)?.status;
  if (saving === 'saving') return { label: 'Cancel', action: 'cancel' };
  const label = saving === 'saved' ? 'Save again' : 'Save';
  return { label, action: canSaveFile(state, file) ? 'save' : null };
}
