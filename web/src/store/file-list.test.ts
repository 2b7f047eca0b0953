import { describe, expect, it } from 'vitest';
import { fakeFolder } from '../testing/fake-engine.js';
import { fileList, PAGE_ROWS } from './file-list.js';
import { FILE_SAVES_MAX, initialState, type DownloadState, type FileSave } from './state.js';

const FOLDER = fakeFolder('Films', [['b/10.txt', 100], ['b/2.txt', 100], ['talk.mp4', 1_000, 'video/mp4'], ['a\u202e/x.html', 50, 'text/html']]);

function state(change: Partial<DownloadState> = {}): DownloadState {
  return { ...initialState({ allowed: true, limitBytesPerS: null }), phase: 'downloading', content: FOLDER, filesHeld: Float64Array.of(100, 0, 420, 0), ...change };
}

const list = (change?: Partial<DownloadState>, search = '', page = 0) => fileList(state(change), { search, page });

describe('the list', () => {
  it('is by folder and name, as people count, and tells each folder once', () => {
    expect(list().rows.map(({ folder, name }) => [folder, name])).toEqual([
      ['', 'talk.mp4'],
      ['a', 'x.html'],
      ['b', '2.txt'],
      [null, '10.txt'],
    ]);
  });

  it('says how much of each is here', () => {
    const [talk, page, two, ten] = list().rows;
    expect(talk).toMatchObject({ status: '42%', tone: 'coming', progress: 0.42, open: 'Play' });
    expect(page).toMatchObject({ status: 'Not here yet', tone: 'waiting', open: '' });
    expect(two).toMatchObject({ tone: 'waiting' });
    expect(ten).toMatchObject({ status: 'Here, verified', tone: 'here', progress: 1 });
    expect(list().summary).toBe('4 files, 1 of them here');
    expect(list({ phase: 'complete', filesHeld: Float64Array.of(100, 100, 1_000, 50) }).summary).toBe('4 files, all here');
  });

  it('says what becomes of a file that is saved', () => {
    const saves = (save: FileSave) => list({ fileSaves: new Map([[2, save]]) }).rows[0];
    expect(saves({ status: 'saving', savedBytes: 0 })).toMatchObject({ status: 'Saved when it comes', save: { label: 'Cancel', action: 'cancel' } });
    expect(saves({ status: 'saving', savedBytes: 500 })).toMatchObject({ status: 'Saving, 50%' });
    expect(saves({ status: 'saved', how: 'download' })).toMatchObject({ status: 'In your downloads', save: { label: 'Save again', action: 'save' } });
    expect(saves({ status: 'failed', reason: 'full' })).toMatchObject({ status: 'Could not be written: full', tone: 'failed' });
  });

  it('saves a few at a time', () => {
    const many = fakeFolder('Many', Array.from({ length: 20 }, (_, at) => [`${at}`, 1]));
    const saving = new Map(Array.from({ length: FILE_SAVES_MAX }, (_, at) => [at, { status: 'saving', savedBytes: 0 } as const]));
    const { rows } = list({ content: many, filesHeld: null, fileSaves: saving });
    expect(rows.at(-1)?.save.action).toBeNull();
    expect(rows[0]?.save.action).toBe('cancel');
  });

  it('offers nothing where nothing can be read', () => {
    for (const phase of ['opening', 'failed', 'stopped'] as const) {
      expect(list({ phase }).rows.every(({ open, save }) => open === '' && save.action === null)).toBe(true);
    }
  });
});

describe('of ten thousand', () => {
  const many = fakeFolder('Many', Array.from({ length: 10_000 }, (_, at) => [`${at % 10}/IMG_${at}.jpg`, 1]));
  const change = { content: many, filesHeld: new Float64Array(10_000) };

  it('a page is shown', () => {
    expect(list(change).rows).toHaveLength(PAGE_ROWS);
    expect(list(change)).toMatchObject({ span: '1–25 of 10,000', page: 0, pages: 400, searchable: true });
    expect(list(change, '', 1).rows[0]).toMatchObject({ folder: '0', name: 'IMG_250.jpg' });
    expect(list(change, '', 999)).toMatchObject({ page: 399, span: '9,976–10,000 of 10,000' });
  });

  it('one is found', () => {
    expect(list(change, ' img_4711 ')).toMatchObject({ summary: '1 file found', span: '', pages: 1 });
    expect(list(change, 'beach')).toMatchObject({ summary: 'No file is called so', rows: [] });
  });
});
