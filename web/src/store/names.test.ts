import { describe, expect, it } from 'vitest';
import { displayName, fileName, filePaths } from './names.js';

describe('displayName', () => {
  it('keeps any script', () => expect(displayName('Ωδή — 東京 тест.mp4')).toBe('Ωδή — 東京 тест.mp4'));
  it('takes out what turns the text around', () => expect(displayName('report\u202Efdp.exe')).toBe('reportfdp.exe'));
  it('takes out control characters', () => expect(displayName('a\u0000b\nc')).toBe('abc'));
  it('names the nameless', () => expect(displayName('\u200F \u0007')).toBe('Unnamed file'));
});

describe('fileName', () => {
  it.each([
    ['talk.mp4', 'talk.mp4'],
    ['../../etc/passwd', '_.._etc_passwd'],
    ['C:\\Windows\\a.dll', 'C__Windows_a.dll'],
    ['.bashrc', 'bashrc'],
    ['a?b*c|d.txt', 'a_b_c_d.txt'],
    ['CON', '_CON'],
    ['nul.txt', '_nul.txt'],
    ['console.log', 'console.log'],
    ['trailing. ', 'trailing'],
    ['...', 'download'],
    ['', 'download'],
    ['写真.jpg', '写真.jpg'],
  ])('%j becomes %j', (name, safe) => expect(fileName(name)).toBe(safe));

  it('shortens the stem, between characters, and keeps the extension', () => {
    const short = fileName(`${'👩‍🚀'.repeat(100)}.tar`);
    expect(new TextEncoder().encode(short).length).toBeLessThanOrEqual(220);
    expect(short).toMatch(/\.tar$/);
    expect(short).not.toContain('\uFFFD');
  });
});

describe('filePaths', () => {
  it('keeps folders, and makes each component a mere name', () => {
    expect(filePaths(['2031/talk.mp4', '../up/.hidden', 'CON/a?b.txt'])).toEqual(['2031/talk.mp4', 'download/up/hidden', '_CON/a_b.txt']);
  });
  it('keeps apart what becomes the same', () => {
    expect(filePaths(['a/x?y.tar', 'a/X*y.tar', 'a/x|y.tar', 'b/x_y.tar', 'a', 'a:'])).toEqual([
      'a/x_y.tar', 'a/X_y (2).tar', 'a/x_y (3).tar', 'b/x_y.tar', 'a', 'a_',
    ]);
  });
});
