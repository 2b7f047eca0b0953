import { describe, expect, it } from 'vitest';
import { FAKE_CONTENT } from '../testing/fake-engine.js';
import { initialState, type DownloadState } from './state.js';
import { announcement, describeProblem, kindOf, programName, viewOf } from './words.js';

const DOWNLOADING: DownloadState = {
  ...initialState({ allowed: true, limitBytesPerS: null }),
  phase: 'downloading',
  content: FAKE_CONTENT,
  haveBytes: 0.42 * FAKE_CONTENT.sizeBytes,
  progress: 0.42,
  downBytesPerS: 5_200_000,
  timeRemainingS: 150,
  tracker: { status: 'up' },
  sharing: true,
};

const news = (before: Partial<DownloadState>, after: Partial<DownloadState>): string | null => {
  const state = { ...DOWNLOADING, ...after };
  return announcement({ ...DOWNLOADING, ...before }, state, viewOf(state));
};

describe('the view', () => {
  it('tells how far it is', () => {
    expect(viewOf(DOWNLOADING)).toMatchObject({
      headline: 'Downloading',
      percent: '42%',
      timeLeft: '2 min 30 sec left',
      facts: ['596 MB of 1.4 GB', '5.2 MB/s'],
      progressText: '42% of 1.4 GB, 2 min 30 sec left',
      notices: [],
    });
  });

  it('tells what came from the web server, and that it goes on from there', () => {
    const server = { url: 'https://site.example/film.mp4', state: 'fetching', receivedBytes: 3_000_000, downBytesPerS: 2_000_000, trouble: null } as const;
    const state: DownloadState = { ...DOWNLOADING, webServers: [server], tracker: { status: 'down', wasUp: false, reason: 'refused', retryAtMs: 9_000 } };
    const view = viewOf(state);
    expect(view.facts).toEqual(['596 MB of 1.4 GB', '5.2 MB/s', 'from the web server']);
    expect(view.peers[0]).toMatchObject({ program: 'Web server site.example', brought: 'brought 3.0 MB', share: 1, speed: '2.0 MB/s' });
    expect(view.notices[0]?.advice).toMatch(/^Your download goes on/);
  });

  it('says why a web server is not used, and why nothing comes from it', () => {
    const unfit = { url: 'https://site.example/film.mp4', state: 'unfit', receivedBytes: 0, downBytesPerS: 0, trouble: 'it does not have it (404)' } as const;
    const [notice] = viewOf({ ...DOWNLOADING, webServers: [unfit] }).notices;
    expect(notice).toMatchObject({ tone: 'info', detail: 'site.example: it does not have it (404)' });
    const stalled = viewOf({ ...DOWNLOADING, tracker: { status: 'unknown' }, stall: 'no-server', webServers: [unfit] });
    expect(stalled.headline).toBe('Waiting for the web server');
    expect(stalled.notices[0]?.detail).toContain('404');
  });

  it('says that all comes from the web server where the browser can’t connect', () => {
    const view = viewOf({ ...DOWNLOADING, webOnly: true });
    expect(view.notices[0]).toMatchObject({ tone: 'info', title: 'This browser can’t connect to others.' });
    expect(view.passingOn).toBe('');
  });

  it('says that another tab has it, and that it goes on by itself', () => {
    const view = viewOf({ ...DOWNLOADING, phase: 'opening', elsewhere: true });
    expect(view.notices).toHaveLength(1);
    expect(view.notices[0]).toMatchObject({ tone: 'info', title: 'This file is open in another tab already.' });
    expect(view.notices[0]?.advice).toContain('by itself');
    expect(view.passingOn).toBe('');
  });

  it('says that it goes on without the tracker, and when it tries again', () => {
    const lost = { ...DOWNLOADING, nowMs: 1_000, links: [{ id: '1', agent: '', role: 'parent', stripesDown: 1, stripesUp: 0, held: 1, receivedBytes: 0, sentBytes: 0, downBytesPerS: 0, upBytesPerS: 0, roundTripMs: null }] } as const;
    const [notice] = viewOf({ ...lost, tracker: { status: 'down', wasUp: true, reason: 'closed', retryAtMs: 4_900 } }).notices;
    expect(notice).toMatchObject({ tone: 'warning', title: 'Lost contact with the tracker.', advice: 'Your download goes on; trying again in 4 s.' });
  });

  it('does not speak of a loss where there never was contact', () => {
    const silent = { ...DOWNLOADING, phase: 'searching', tracker: { status: 'down', wasUp: false, reason: '', retryAtMs: 2_000 } } as const;
    expect(viewOf(silent).notices[0]).toMatchObject({ title: 'The tracker can’t be reached.', advice: 'Trying again in 2 s.' });
  });

  it('lets a save wait for the last byte, and says so', () => {
    expect(viewOf(DOWNLOADING).main).toEqual({ label: 'Save file', action: null, hint: 'Can be saved once every byte is verified.' });
    expect(viewOf({ ...DOWNLOADING, phase: 'complete' }).main.action).toBe('save');
  });

  it('prefers the name that the page gives', () => {
    expect(viewOf(DOWNLOADING, 'Film').name).toBe('Film');
  });

  it('has words for every problem', () => {
    const notice = describeProblem({ kind: 'not-found', detail: 'answered 404' });
    expect(notice.title).toBe('Nobody is sharing this any more, or the link is incomplete.');
    expect(notice.advice).not.toBe('');
  });
});

describe('what a screen reader is told', () => {
  it('is each quarter, not each percent', () => {
    expect(news({ progress: 0.42 }, { progress: 0.43 })).toBeNull();
    expect(news({ progress: 0.49 }, { progress: 0.5 })).toBe('50% of 1.4 GB, 2 min 30 sec left');
  });
  it('is completion', () => expect(news({}, { phase: 'complete' })).toMatch(/complete and verified/));
  it('is a failure, with what to do', () => {
    expect(news({}, { phase: 'failed', problem: { kind: 'storage-full', detail: '' } })).toMatch(/not enough room.*Free some space/);
  });
  it('is a lost tracker, once', () => {
    const down = { tracker: { status: 'down', wasUp: true, reason: '', retryAtMs: 1 } } as const;
    expect(news({}, down)).toMatch(/Lost contact/);
    expect(news(down, down)).toBeNull();
  });
  it('is that nobody is there', () => expect(news({ phase: 'searching' }, { phase: 'searching', stall: 'alone' })).toMatch(/Nobody/));
});

it('knows kinds of files', () => {
  expect(kindOf('video/mp4').kind).toBe('video');
  expect(kindOf('application/zip').kind).toBe('archive');
  expect(kindOf('application/pdf').label).toBe('Document');
  expect(kindOf('').label).toBe('File');
});

it('writes programs for people', () => {
  expect(programName('pleach/0.1.0')).toBe('Pleach 0.1.0');
  expect(programName('')).toBe('Just arrived');
  expect(programName('evil\u202E')).toBe('evil');
});
