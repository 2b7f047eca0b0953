import { describe, expect, it } from 'vitest';
import { openingOf, safeMediaType, subtitlesOf } from './media.js';

const file = (path: string, mediaType = '') => ({ path, mediaType, start: 0, end: 1 });

describe('what a file is opened as', () => {
  it.each([
    ['talk.MP4', '', 'video', 'video/mp4'],
    ['talk', 'video/webm; codecs="vp9"', 'video', 'video/webm'],
    ['a/b.c/song.mp3', '', 'audio', 'audio/mpeg'],
    ['song', 'audio/x-wav', 'audio', 'audio/wav'],
    ['x.jpeg', 'application/octet-stream', 'image', 'image/jpeg'],
    ['x', 'application/pdf', 'pdf', 'application/pdf'],
    ['x.svg', '', null, 'application/octet-stream'],
    ['x.png', 'text/html', null, 'application/octet-stream'],
    ['talk.vtt', '', null, 'text/vtt'],
    ['', '', null, 'application/octet-stream'],
  ])('%s %s', (path, told, opening, mediaType) => {
    expect(openingOf(file(path, told))).toBe(opening);
    expect(safeMediaType(file(path, told))).toBe(mediaType);
  });
});

it('finds the subtitles beside a video', () => {
  const files = ['a/talk.mp4', 'a/talk.vtt', 'a/talk.fr.vtt', 'a/talk.pt-BR.vtt', 'a/talk.director’s notes.vtt', 'a/talks.vtt', 'b/talk.vtt', 'a/talk.srt'].map((path) => file(path));
  expect(subtitlesOf(files, 0)).toEqual([
    { file: 1, language: '', label: 'Subtitles' },
    { file: 2, language: 'fr', label: 'français' },
    { file: 3, language: 'pt-BR', label: expect.stringMatching(/português/) },
    { file: 4, language: '', label: 'director’s notes' },
  ]);
});
