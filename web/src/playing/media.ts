/**
 * What a page may open of a stranger's content, and as what: a list of types of which none runs scripts in the page.
 * Everything else is bytes to be saved. HTML and SVG are not on it, whatever their author says they are.
 */

import type { ContentFile } from '../engine/port.js';

/** How a file is opened. */
export type Opening = 'video' | 'audio' | 'image' | 'pdf';

interface Medium {
  readonly opening: Opening;
  readonly mediaType: string;
}

const MEDIA: readonly (readonly [Opening, string, readonly string[]])[] = [
  ['video', 'video/mp4', ['mp4', 'm4v']],
  ['video', 'video/webm', ['webm']],
  ['video', 'video/ogg', ['ogv']],
  ['video', 'video/quicktime', ['mov']],
  ['video', 'video/x-matroska', ['mkv']],
  ['audio', 'audio/mpeg', ['mp3']],
  ['audio', 'audio/mp4', ['m4a']],
  ['audio', 'audio/aac', ['aac']],
  ['audio', 'audio/ogg', ['ogg', 'oga', 'opus']],
  ['audio', 'audio/wav', ['wav']],
  ['audio', 'audio/webm', ['weba']],
  ['audio', 'audio/flac', ['flac']],
  ['image', 'image/png', ['png']],
  ['image', 'image/jpeg', ['jpg', 'jpeg']],
  ['image', 'image/gif', ['gif']],
  ['image', 'image/webp', ['webp']],
  ['image', 'image/avif', ['avif']],
  ['pdf', 'application/pdf', ['pdf']],
];

/** Other names of types above. */
const ALIASES: Readonly<Record<string, string>> = { 'audio/x-wav': 'audio/wav', 'audio/x-flac': 'audio/flac', 'image/jpg': 'image/jpeg', 'video/matroska': 'video/x-matroska' };

const BY_TYPE = new Map(MEDIA.map(([opening, mediaType]) => [mediaType, { opening, mediaType }]));
const BY_EXTENSION = new Map(MEDIA.flatMap(([opening, mediaType, extensions]) => extensions.map((extension) => [extension, { opening, mediaType }] as const)));

function mediumOf({ path, mediaType }: Pick<ContentFile, 'path' | 'mediaType'>): Medium | null {
  const told = (mediaType.split(';')[0] ?? '').trim().toLowerCase();
  if (told !== '' && told !== 'application/octet-stream') return BY_TYPE.get(ALIASES[told] ?? told) ?? null;
  return BY_EXTENSION.get(extensionOf(path)) ?? null;
}

export function extensionOf(path: string): string {
  return (/\.([^./]+)$/u.exec(path)?.[1] ?? '').toLowerCase();
}

/** How the file is opened; `null` if it is not. */
export function openingOf(file: Pick<ContentFile, 'path' | 'mediaType'>): Opening | null {
  return mediumOf(file)?.opening ?? null;
}

/** What a browser is told that it is. */
export function safeMediaType(file: Pick<ContentFile, 'path' | 'mediaType'>): string {
  if (isSubtitles(file)) return 'text/vtt';
  return mediumOf(file)?.mediaType ?? 'application/octet-stream';
}

function isSubtitles({ path }: Pick<ContentFile, 'path'>): boolean {
  return extensionOf(path) === 'vtt';
}

/** Subtitles of a video. */
export interface Subtitles {
  readonly file: number;
  /** A language tag, where the file's name tells one. */
  readonly language: string;
  readonly label: string;
}

/** More are not offered. */
const SUBTITLES_MAX = 16;

/** `talk.vtt`, `talk.en.vtt`, `talk.Français.vtt` beside `talk.mp4`. */
export function subtitlesOf(files: readonly ContentFile[], video: number): Subtitles[] {
  const stem = stemOf(files[video]?.path ?? '');
  const found: Subtitles[] = [];
  files.forEach((file, at) => {
    if (!isSubtitles(file) || found.length >= SUBTITLES_MAX) return;
    const own = stemOf(file.path);
    if (own !== stem && !own.startsWith(`${stem}.`)) return;
    const middle = own.slice(stem.length + 1);
    const language = /^[a-z]{2,3}(-[a-z0-9]{2,8})*$/iu.test(middle) ? middle : '';
    found.push({ file: at, language, label: nameOfLanguage(language) || middle || 'Subtitles' });
  });
  return found;
}

function stemOf(path: string): string {
  return path.replace(/\.[^./]+$/u, '');
}

function nameOfLanguage(language: string): string {
  try {
    return language === '' ? '' : (new Intl.DisplayNames([language], { type: 'language' }).of(language) ?? '');
  } catch {
    return '';
  }
}
