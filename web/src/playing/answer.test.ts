import { describe, expect, it } from 'vitest';
import type { ContentFile } from '../engine/port.js';
import { answerOf } from './answer.js';

const FILE: ContentFile = { path: 'talk.mp4', start: 1_000, end: 2_000, mediaType: 'video/mp4' };
const header = (file: ContentFile, name: string, range: string | null = null): string | undefined => new Map(answerOf(file, range).head.headers).get(name);

describe('a range', () => {
  it.each([
    [null, 200, { start: 0, end: 1_000 }, undefined],
    ['bytes=0-', 206, { start: 0, end: 1_000 }, 'bytes 0-999/1000'],
    ['bytes=0-1', 206, { start: 0, end: 2 }, 'bytes 0-1/1000'],
    ['bytes=999-5000', 206, { start: 999, end: 1_000 }, 'bytes 999-999/1000'],
    ['bytes=-100', 206, { start: 900, end: 1_000 }, 'bytes 900-999/1000'],
    ['bytes=-5000', 206, { start: 0, end: 1_000 }, 'bytes 0-999/1000'],
    ['bytes=1000-', 416, null, 'bytes */1000'],
    ['bytes=-0', 416, null, 'bytes */1000'],
    // What makes no sense counts as not said.
    ['bytes=9-3', 200, { start: 0, end: 1_000 }, undefined],
    ['bytes=0-1,4-5', 200, { start: 0, end: 1_000 }, undefined],
    ['lines=0-1', 200, { start: 0, end: 1_000 }, undefined],
    ['bytes=-', 200, { start: 0, end: 1_000 }, undefined],
  ])('%j', (range, status, bytes, contentRange) => {
    const answer = answerOf(FILE, range);
    expect(answer.head.status).toBe(status);
    expect(answer.range).toEqual(bytes);
    expect(header(FILE, 'content-range', range)).toBe(contentRange);
    if (bytes) expect(header(FILE, 'content-length', range)).toBe(String(bytes.end - bytes.start));
  });

  it('of an empty file is all of it, or beyond', () => {
    const empty = { ...FILE, end: FILE.start };
    expect(answerOf(empty, null)).toMatchObject({ head: { status: 200 }, range: { start: 0, end: 0 } });
    expect(answerOf(empty, 'bytes=0-').head.status).toBe(416);
  });
});

describe('a stranger’s file', () => {
  it.each([
    ['page.html', 'text/html'],
    ['picture.svg', 'image/svg+xml'],
    ['talk.mp4', 'text/html'],
    ['script.js', ''],
    ['page.xhtml', ''],
    ['talk.mp4', 'video/mp4\r\nX-Evil: 1'],
  ])('%s, said to be %j, is bytes and nothing else', (path, mediaType) => {
    const file = { ...FILE, path, mediaType };
    expect(header(file, 'content-type')).toBe('application/octet-stream');
    expect(header(file, 'content-disposition')).toBe('attachment');
  });

  it.each(['talk.mp4', 'page.html', 'photo.jpg'])('runs nothing: %s', (path) => {
    const file = { ...FILE, path, mediaType: '' };
    expect(header(file, 'content-security-policy')).toMatch(/default-src 'none'.*sandbox/);
    expect(header(file, 'x-content-type-options')).toBe('nosniff');
    expect(header(file, 'cross-origin-resource-policy')).toBe('same-origin');
  });

  it('that is a PDF is one, and loads no scripts of this site', () => {
    const file = { ...FILE, path: 'a.pdf', mediaType: '' };
    expect(header(file, 'content-type')).toBe('application/pdf');
    expect(header(file, 'x-content-type-options')).toBe('nosniff');
    expect(header(file, 'content-security-policy')).toMatch(/default-src 'none'/);
  });
});
