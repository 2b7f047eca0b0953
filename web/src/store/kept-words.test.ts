import { describe, expect, it } from 'vitest';
import type { KeptContent } from '../storage/kept.js';
import { deletedWords, keptView } from './kept-words.js';

const NOW = 1_900_000_000_000;
const HOUR = 3_600_000;
const kept = (change: Partial<KeptContent> = {}): KeptContent => ({
  id: 'ab'.repeat(32),
  name: 'talk.mp4',
  page: '/abab#m1.0',
  sizeBytes: 1_400_000_000,
  heldBytes: 1_400_000_000,
  lastUsedMs: NOW - 2 * HOUR,
  isInUse: false,
  ...change,
});

describe('what is kept, in words', () => {
  it.each([
    [kept(), 'talk.mp4', '1.4 GB · used 2 hours ago'],
    [kept({ heldBytes: 589_000_000, lastUsedMs: NOW + HOUR }), 'talk.mp4', '589 MB of 1.4 GB · used just now'],
    [kept({ name: '', isInUse: true }), 'No name, abababab…', '1.4 GB · open in a tab'],
    [kept({ name: 'exe.\u202efdp', lastUsedMs: 0 }), 'exe.fdp', '1.4 GB'],
    [kept({ lastUsedMs: NOW - 400 * 24 * HOUR }), 'talk.mp4', '1.4 GB · used 1 year ago'],
  ])('%#', (content, name, facts) => {
    expect(keptView([content], Infinity, NOW).lines[0]).toMatchObject({ name, facts, canDelete: !content.isInUse });
  });

  it('is opened where it was, or says what opens it', () => {
    expect(keptView([kept()], Infinity, NOW).lines[0]).toMatchObject({ href: '/abab#m1.0', hint: '' });
    expect(keptView([kept({ page: '' })], Infinity, NOW).lines[0]).toMatchObject({ href: null, hint: 'Opens by the link that you got.' });
    const secret = keptView([kept({ name: '', page: '' })], Infinity, NOW).lines[0];
    expect(secret).toMatchObject({ href: null, hint: 'Opens by the link that you got: a key in it is not kept here.' });
  });

  it('is summed up, with what is the most', () => {
    const view = keptView([kept(), kept({ isInUse: true }), kept()], 20e9, NOW);
    expect(view.summary).toBe('3 files and folders, 4.2 GB of at most 20 GB');
    expect(view.canDeleteAll).toBe(true);
    expect(view.question).toBe('Delete those that are not open, 2.8 GB? They would have to be downloaded again.');
    expect(keptView([], 20e9, NOW)).toMatchObject({ summary: '', canDeleteAll: false });
    expect(keptView([kept()], Infinity, NOW).summary).toBe('1 file or folder, 1.4 GB');
  });

  it('that was deleted is told', () => {
    expect(deletedWords(['talk.mp4'], 0)).toBe('talk.mp4 is deleted.');
    expect(deletedWords(['a', 'b'], 1)).toBe('2 are deleted. 1 is open in a tab and stays.');
    expect(deletedWords([], 2)).toBe('2 are open in a tab and stay.');
  });
});
