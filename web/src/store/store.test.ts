import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FAKE_CONTENT, FakeEngine, fakeLink } from '../testing/fake-engine.js';
import { PATIENCE_MS } from './state.js';
import { createDownloadStore, TICK_MS, type DownloadStore } from './store.js';

const SOURCE = `https://pleach.example/${FAKE_CONTENT.id}`;
const SIZE = FAKE_CONTENT.sizeBytes;

let engines: FakeEngine[];
let store: DownloadStore;
let phases: string[];

/** The engine of the present attempt. */
const engine = (): FakeEngine => engines.at(-1) as FakeEngine;
const state = () => store.getState();
const start = () => store.dispatch({ type: 'start', source: SOURCE });
const pass = (ms: number) => vi.advanceTimersByTime(ms);

function open(): void {
  start();
  engine().say({ type: 'content', content: FAKE_CONTENT });
  engine().say({ type: 'trackerUp' });
}

function finish(): void {
  open();
  engine().count({ phase: 'seeding', haveBytes: SIZE, sentBytes: 7, links: [fakeLink({ link: 1, upBytesPerS: 5 })] });
  engine().say({ type: 'complete' });
}

beforeEach(() => {
  vi.useFakeTimers();
  engines = [];
  phases = [];
  store = createDownloadStore({
    createEngine: () => {
      engines.push(new FakeEngine());
      return engine();
    },
    now: () => Date.now(),
  });
  store.subscribe(({ phase }) => {
    if (phases.at(-1) !== phase) phases.push(phase);
  });
});

afterEach(() => {
  store.dispose();
  vi.useRealTimers();
});

describe('a download', () => {
  it('does nothing before it is started', () => {
    expect(state().phase).toBe('idle');
    expect(engines).toHaveLength(0);
  });

  it('goes from the link to the file', async () => {
    start();
    expect(engine().source).toBe(SOURCE);
    engine().say({ type: 'content', content: FAKE_CONTENT });
    engine().count({ phase: 'checking', haveBytes: SIZE / 4 });
    pass(TICK_MS);
    engine().say({ type: 'resumed', bytes: SIZE / 4 });
    engine().count({ phase: 'searching' });
    pass(TICK_MS);
    engine().count({ phase: 'downloading', haveBytes: SIZE / 2, downBytesPerS: 9 });
    pass(TICK_MS);
    engine().count({ phase: 'seeding', haveBytes: SIZE });
    engine().say({ type: 'complete' });
    engine().onSave = async ({ fileName, onProgress }) => {
      onProgress(12);
      return { how: 'file', fileName };
    };
    store.dispatch({ type: 'save' });
    await vi.waitFor(() => expect(state().phase).toBe('saved'));
    expect(phases).toEqual(['opening', 'checking', 'searching', 'downloading', 'complete', 'saving', 'saved']);
    expect(state()).toMatchObject({ progress: 1, resumedBytes: SIZE / 4, saved: { how: 'file', fileName: FAKE_CONTENT.name } });
  });

  it('tells what the engine counts', () => {
    open();
    const link = fakeLink({ link: 3, agent: 'pleach/0.1.0', role: 'parent', receivedBytes: 10, downBytesPerS: 5 });
    engine().count({ phase: 'downloading', haveBytes: SIZE / 4, downBytesPerS: 5, upBytesPerS: 2, sentBytes: 8, swarmPeers: 4, swarmSeeders: 2, links: [link] });
    pass(TICK_MS);
    expect(state()).toMatchObject({
      phase: 'downloading',
      content: FAKE_CONTENT,
      progress: 0.25,
      downBytesPerS: 5,
      upBytesPerS: 2,
      uploadedBytes: 8,
      swarmPeers: 4,
      swarmSeeders: 2,
      tracker: { status: 'up' },
      links: [{ id: link.peer, agent: 'pleach/0.1.0', role: 'parent', receivedBytes: 10 }],
    });
  });

  it('has a time left once there is a pace, and none of it comes from the disk', () => {
    open();
    engine().count({ phase: 'checking', haveBytes: 0 });
    for (let step = 1; step <= 10; step += 1) {
      engine().count({ phase: 'checking', haveBytes: (SIZE / 20) * step });
      pass(TICK_MS);
    }
    expect(state().timeRemainingS).toBeNull();
    for (let step = 0; step <= 10; step += 1) {
      engine().count({ phase: 'downloading', haveBytes: SIZE / 2 + step * 500_000 });
      pass(TICK_MS);
    }
    expect(state().timeRemainingS).toBeCloseTo((SIZE / 2 - 5_000_000) / 1_000_000, 0);
  });

  it('asks for the numbers with the news, not after it', () => {
    open();
    engine().count({ phase: 'searching', links: [fakeLink({ link: 1 })] });
    engine().say({ type: 'linkUp', peer: '1' });
    expect(state().links).toHaveLength(1);
  });
});

describe('when nothing comes', () => {
  const wait = (stats: Parameters<FakeEngine['count']>[0]) => {
    open();
    engine().count({ phase: 'searching', ...stats });
    pass(PATIENCE_MS + 2 * TICK_MS);
    return state();
  };

  it('is patient at first', () => {
    open();
    engine().count({ phase: 'searching' });
    pass(PATIENCE_MS - TICK_MS);
    expect(state().stall).toBeNull();
  });

  it.each([
    ['alone', { swarmPeers: 1 }],
    ['unreachable', { swarmPeers: 3 }],
    ['no-tracker', { trackerUp: false }],
    ['starved', { swarmPeers: 3, links: [fakeLink({ link: 1 })] }],
  ] as const)('says why: %s', (stall, stats) => {
    expect(wait(stats)).toMatchObject({ phase: 'searching', stall });
  });

  it('goes on by itself', () => {
    wait({});
    engine().count({ phase: 'downloading', haveBytes: 1 });
    pass(TICK_MS);
    expect(state()).toMatchObject({ phase: 'downloading', stall: null });
  });
});

describe('trouble', () => {
  it('keeps the tracker’s next try as a moment, for the countdown', () => {
    open();
    const nowMs = Date.now();
    engine().say({ type: 'trackerDown', reason: 'closed', retryMs: 4_000 });
    expect(state().tracker).toEqual({ status: 'down', wasUp: true, reason: 'closed', retryAtMs: nowMs + 4_000 });
    engine().say({ type: 'trackerUp' });
    expect(state().tracker).toEqual({ status: 'up' });
  });

  it('waits while opening, and forgets it when the manifest is there', () => {
    start();
    engine().say({ type: 'waiting', reason: 'no answer', retryMs: null });
    expect(state()).toMatchObject({ phase: 'opening', waiting: { reason: 'no answer', retryAtMs: null } });
    engine().say({ type: 'content', content: FAKE_CONTENT });
    expect(state().waiting).toBeNull();
  });

  it('fails, and a retry begins with a new engine and what is known', () => {
    open();
    engine().count({ phase: 'downloading', haveBytes: SIZE / 2, sentBytes: 100 });
    pass(TICK_MS);
    engine().say({ type: 'failed', problem: { kind: 'storage-full', detail: 'quota' } });
    engine().say({ type: 'stopped' });
    expect(state()).toMatchObject({ phase: 'failed', problem: { kind: 'storage-full' }, sharing: false, links: [] });
    const failed = engine();
    start();
    expect(failed.disposed).toBe(true);
    expect(engines).toHaveLength(2);
    expect(state()).toMatchObject({ phase: 'opening', problem: null, content: FAKE_CONTENT, progress: 0.5, uploadedBytes: 100 });
    engine().count({ phase: 'downloading', haveBytes: SIZE / 2, sentBytes: 20 });
    pass(TICK_MS);
    expect(state().uploadedBytes).toBe(120);
  });

  it('does not listen to a former attempt', () => {
    open();
    const former = engine();
    former.say({ type: 'failed', problem: { kind: 'engine', detail: '' } });
    start();
    former.say({ type: 'complete' });
    expect(state().phase).toBe('opening');
  });

  it('does not lose a complete file to a later failure', () => {
    finish();
    engine().say({ type: 'failed', problem: { kind: 'storage', detail: '' } });
    expect(state()).toMatchObject({ phase: 'complete', sharing: false, problem: null });
  });

  it('counts liars, and goes on', () => {
    open();
    engine().say({ type: 'peerLied', peer: '1' });
    engine().say({ type: 'peerLied', peer: '2' });
    expect(state()).toMatchObject({ liars: 2, problem: null });
  });
});

describe('stop', () => {
  it('leaves, keeps what is here, and goes on where it was', () => {
    open();
    engine().count({ phase: 'downloading', haveBytes: SIZE / 2, downBytesPerS: 5, links: [fakeLink({ link: 1 })] });
    pass(TICK_MS);
    store.dispatch({ type: 'stop' });
    expect(engine().stopped).toBe(true);
    expect(state()).toMatchObject({ phase: 'stopped', progress: 0.5, downBytesPerS: 0, links: [] });
    engine().say({ type: 'stopped' });
    start();
    expect(state().phase).toBe('opening');
    engine().say({ type: 'resumed', bytes: SIZE / 2 });
    expect(state().resumedBytes).toBe(SIZE / 2);
  });

  it('no longer ticks', () => {
    open();
    store.dispatch({ type: 'stop' });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('after completion ends the sharing only', () => {
    finish();
    store.dispatch({ type: 'stop' });
    expect(state()).toMatchObject({ phase: 'complete', sharing: false, progress: 1 });
  });

  it('does nothing where nothing runs', () => {
    store.dispatch({ type: 'stop' });
    expect(state().phase).toBe('idle');
  });

  it('cannot be started twice', () => {
    start();
    start();
    expect(engines).toHaveLength(1);
  });
});

describe('save', () => {
  it('waits for the last byte', () => {
    open();
    const onSave = vi.spyOn(engine(), 'save');
    store.dispatch({ type: 'save' });
    expect(onSave).not.toHaveBeenCalled();
  });

  it('asks the engine within the same click', () => {
    finish();
    const onSave = vi.spyOn(engine(), 'save');
    store.dispatch({ type: 'save', name: 'a/b.mp4' });
    expect(onSave).toHaveBeenCalledWith(expect.objectContaining({ fileName: 'a_b.mp4' }));
    expect(state().phase).toBe('saving');
  });

  it('is complete again after a change of mind', async () => {
    finish();
    engine().onSave = async () => ({ how: 'cancelled' });
    store.dispatch({ type: 'save' });
    await vi.waitFor(() => expect(state().phase).toBe('complete'));
    expect(state().saveProblem).toBeNull();
  });

  it('tells why it failed, and can be tried again', async () => {
    finish();
    engine().onSave = () => Promise.reject(new Error('disk full'));
    store.dispatch({ type: 'save' });
    await vi.waitFor(() => expect(state()).toMatchObject({ phase: 'complete', saveProblem: 'disk full' }));
    engine().onSave = async () => ({ how: 'download', fileName: 'x' });
    store.dispatch({ type: 'save' });
    await vi.waitFor(() => expect(state()).toMatchObject({ phase: 'saved', saveProblem: null }));
  });
});

describe('upload', () => {
  it('is handed to the engine at the start and when it changes', () => {
    store.dispatch({ type: 'setUpload', upload: { allowed: false, limitBytesPerS: 500 } });
    start();
    expect(engine().uploadLimit).toBe(0);
    store.dispatch({ type: 'setUpload', upload: { allowed: true, limitBytesPerS: 500 } });
    expect(engine().uploadLimit).toBe(500);
    store.dispatch({ type: 'setUpload', upload: { allowed: true, limitBytesPerS: null } });
    expect(engine().uploadLimit).toBeNull();
  });

  it('goes on being counted after completion', () => {
    finish();
    engine().count({ sentBytes: 99 });
    pass(TICK_MS);
    expect(state()).toMatchObject({ phase: 'complete', uploadedBytes: 99 });
  });
});

describe('a descriptor', () => {
  const content = { ...FAKE_CONTENT, descriptors: [0, 1].map((at) => ({ name: `${at + 1} of 2`, runs: [{ start: at, length: 1, count: 1, every: 0 }] })) };

  it('is given once all of it is there, whichever comes first', async () => {
    start();
    const [first, second] = [store.descriptor(0), store.descriptor(1)];
    const came: number[] = [];
    void first.then(() => came.push(0));
    void second.then(() => came.push(1));
    engine().say({ type: 'content', content });
    engine().count({ phase: 'downloading', haveBytes: 1 });
    pass(TICK_MS);
    engine().say({ type: 'descriptor', index: 1 });
    expect(await (await second).text()).toBe('descriptor 1');
    expect(came).toEqual([1]);
    engine().say({ type: 'descriptor', index: 0 });
    engine().say({ type: 'descriptor', index: 0 });
    await first;
    expect(state().descriptors).toEqual([1, 0]);
    await expect(store.descriptor(2)).rejects.toThrow('no descriptor 2');
  });

  it('is waited for in vain when the download ends', async () => {
    start();
    engine().say({ type: 'content', content });
    const stopped = store.descriptor(0);
    store.dispatch({ type: 'stop' });
    await expect(stopped).rejects.toThrow('ended before');
    start();
    const disposed = store.descriptor(1);
    store.dispose();
    await expect(disposed).rejects.toThrow('ended before');
  });
});
