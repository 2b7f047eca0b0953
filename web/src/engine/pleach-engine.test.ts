import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { PackedContent } from '../packing/packed-content.js';
import type { ManifestInfo, PeerEvent, PeerOptions } from '../../pkg/pleach_browser.js';
import { takeUnlocked } from '../packing/unlocked.js';
import { StoreError, type ContentStore } from '../storage/store.js';
import { PleachEngine, type EngineModule, type EngineParts } from './pleach-engine.js';
import type { EngineEvent } from './port.js';
import { problemOf } from './problems.js';

const ID = 'ab'.repeat(32);
const LINK = `https://pleach.example/${ID}#m1.digest`;
const INFO: ManifestInfo = {
  id: ID,
  digest: 'digest',
  name: 'talk.mp4',
  sizeBytes: 5,
  mediaType: null,
  files: [{ path: 'talk.mp4', sizeBytes: 5, mediaType: null }],
  packed: null,
  descriptors: [],
  activeFromMs: null,
  activeUntilMs: null,
  trackers: [],
  sources: [],
  hashes: [],
};

class FakePeer {
  static made: FakePeer[] = [];
  readonly calls: string[] = [];

  constructor(readonly options: PeerOptions) {
    FakePeer.made.push(this);
  }
  sources: unknown[] = [{}];
  stats = () => ({ phase: 'searching', sources: this.sources }) as never;
  want = (wants: readonly { start: number; end: number }[]) => void this.calls.push(`want ${wants.map(({ start, end }) => `${start}-${end}`).join()}`);
  heldUntil = (start: number) => start;
  setUploadLimit = (limit: number | null) => void this.calls.push(`limit ${limit}`);
  stop = () => void this.calls.push('stop');
  free = () => void this.calls.push('free');
}

/** As the engine's is where nobody can be asked. */
class PeerWithoutPlaces extends FakePeer {
  constructor(options: PeerOptions) {
    if (options.trackerUrl === null) throw new Error('the manifest names no tracker and no web server');
    super(options);
  }
}

function fakeStore(change: Partial<ContentStore> = {}): ContentStore {
  return {
    sizeBytes: 5,
    isLasting: true,
    failure: undefined,
    write: async () => {},
    read: async () => new Uint8Array(),
    readInto: async (_, room) => room.subarray(0, 0),
    appendRecord: () => {},
    noteHeld: vi.fn(),
    file: async () => new Blob(['12345']),
    spool: () => Promise.reject(new Error('not used')),
    close: vi.fn(async () => {}),
    remove: async () => {},
    ...change,
  };
}

const MODULE: EngineModule = {
  PleachPeer: FakePeer as unknown as EngineModule['PleachPeer'],
  parseManifest(_bytes, digest) {
    if (digest && digest !== INFO.digest) throw new Error('this is not the manifest that the link promises');
    return INFO;
  },
  parseLink(text) {
    const url = new URL(text);
    const id = url.pathname.slice(1);
    if (!/^[0-9a-f]{64}$/.test(id)) throw new Error('this is not a Pleach link');
    return { id, manifestUrl: `${url.origin}/${id}.pleach`, trackerUrl: `wss://${url.host}`, manifestDigest: url.hash.slice(4).split('&')[0] || null, key: url.hash.split('&k1.')[1] ?? null };
  },
};

let store: ContentStore;
let network: EventTarget;
let events: EngineEvent[];

function parts(change: Partial<EngineParts> = {}): EngineParts {
  return {
    missing: () => null,
    canConnect: () => true,
    loadModule: async () => MODULE,
    openStore: async () => ({ store, record: undefined }),
    untilFree: () => Promise.reject(new Error('not used')),
    openPacked: () => Promise.reject(new Error('not used')),
    save: async ({ fileName }) => ({ how: 'file', fileName }),
    saveFolder: async ({ folderName }) => ({ how: 'folder', fileName: folderName }),
    page: () => `/${ID}#m1.0`,
    fetch: async () => new Response(new Uint8Array([1])),
    pause: async () => {},
    now: () => 1_500,
    navigator: { userAgent: 'Firefox/153.0', onLine: true },
    network,
    ...change,
  };
}

function open(change: Partial<EngineParts> = {}, source = LINK): PleachEngine {
  const engine = new PleachEngine(parts(change));
  engine.open(source, { uploadBytesPerS: 7, quotaBytes: 9, web: { sources: ['https://site.example/talk.mp4'], limitBytesPerS: 11 }, onEvent: (event) => events.push(event) });
  return engine;
}

/** Until the peer runs or the attempt has ended. */
async function settled(): Promise<void> {
  await vi.waitFor(() => {
    if (FakePeer.made.length === 0 && !events.some(({ type }) => type === 'stopped')) throw new Error('not yet');
  });
}

async function problemOn(change: Partial<EngineParts>, source = LINK) {
  open(change, source);
  await settled();
  const failed = events.find((event) => event.type === 'failed');
  expect(events.at(-1)).toEqual({ type: 'stopped' });
  return failed?.problem;
}

beforeEach(() => {
  FakePeer.made = [];
  store = fakeStore();
  network = new EventTarget();
  events = [];
});

describe('opening', () => {
  it('says nothing before open has returned, then what it is, then runs a peer', async () => {
    const fetched = vi.fn(async () => new Response(new Uint8Array([1])));
    open({ fetch: fetched });
    expect(events).toEqual([]);
    await settled();
    expect(fetched).toHaveBeenCalledWith(`https://pleach.example/${ID}.pleach`, expect.anything());
    expect(events).toEqual([{ type: 'content', content: { id: ID, name: 'talk.mp4', sizeBytes: 5, mediaType: '', files: [{ path: 'talk.mp4', start: 0, end: 5, mediaType: '' }], descriptors: [] } }]);
    const web = { sources: ['https://site.example/talk.mp4'], sourceLimit: 11 };
    expect(FakePeer.made[0]?.options).toMatchObject({ trackerUrl: 'wss://pleach.example', uploadLimit: 7, agent: 'Firefox 153', ...web });
  });

  it('takes the URL of a manifest, and the tracker that the manifest names', async () => {
    const fetched = vi.fn(async () => new Response(new Uint8Array([1])));
    const info = { ...INFO, trackers: ['wss://tracker.example'] };
    open({ fetch: fetched, loadModule: async () => ({ ...MODULE, parseManifest: () => info }) }, 'https://site.example/files/talk.pleach#m1.digest');
    await settled();
    expect(fetched).toHaveBeenCalledWith('https://site.example/files/talk.pleach', expect.anything());
    expect(FakePeer.made[0]?.options.trackerUrl).toBe('wss://tracker.example');
  });

  it('needs no tracker where the content may lie beside its manifest', async () => {
    open({}, 'https://site.example/files/talk.mp4.pleach');
    await settled();
    expect(FakePeer.made[0]?.options).toMatchObject({ trackerUrl: null, manifestUrl: 'https://site.example/files/talk.mp4.pleach' });
  });

  it('takes a manifest at a tracker for that tracker’s', async () => {
    open({}, `https://pleach.example/${ID}.pleach`);
    await settled();
    expect(FakePeer.made[0]?.options.trackerUrl).toBe('wss://pleach.example');
  });

  it('tells that a reload starts afresh where nothing lasts', async () => {
    store = fakeStore({ isLasting: false });
    open();
    await settled();
    expect(events.at(-1)).toEqual({ type: 'memoryOnly' });
  });

  it('waits for the network', async () => {
    let asked = 0;
    open({
      fetch: async () => {
        if (asked++ === 0) throw new TypeError('Failed to fetch');
        return new Response(new Uint8Array([1]));
      },
    });
    await settled();
    expect(events[0]).toMatchObject({ type: 'waiting', retryMs: 1_000 });
    expect(events[1]).toMatchObject({ type: 'content' });
  });

  it('follows the browser’s word on the network', async () => {
    const navigator = { userAgent: '', onLine: true };
    open({ navigator });
    await settled();
    navigator.onLine = false;
    network.dispatchEvent(new Event('offline'));
    expect(events.at(-1)).toEqual({ type: 'network', online: false });
  });
});

describe('without WebRTC', () => {
  it('all comes from web servers, and nobody is met', async () => {
    open({ canConnect: () => false });
    await settled();
    expect(events.at(-1)).toEqual({ type: 'webOnly' });
    expect(FakePeer.made[0]?.options.trackerUrl).toBeNull();
  });

  it.each<[string, number, string[]]>([
    ['all that is kept is enough', 5, ['content', 'resumed']],
    ['a part of it is not, where there is no web server', 4, ['content', 'resumed', 'failed']],
  ])('%s', async (_, bytes, heard) => {
    class Kept extends FakePeer {
      override sources = [];
    }
    open({ canConnect: () => false, loadModule: async () => ({ ...MODULE, PleachPeer: Kept as unknown as EngineModule['PleachPeer'] }) });
    await settled();
    FakePeer.made[0]?.options.onEvent({ type: 'resumed', bytes });
    expect(events.map(({ type }) => type)).toEqual(heard);
    const failed = events.find((event) => event.type === 'failed');
    expect(failed?.type === 'failed' ? failed.problem.kind : null).toBe(bytes < 5 ? 'no-webrtc' : null);
    expect(FakePeer.made[0]?.calls.includes('stop')).toBe(bytes < 5);
  });
});

describe('problems', () => {
  const notFound = async () => new Response('', { status: 404 });

  it.each<[string, Partial<EngineParts>, string?]>([
    ['no-webrtc', { canConnect: () => false, loadModule: async () => ({ ...MODULE, PleachPeer: PeerWithoutPlaces }) }],
    ['no-wasm', { loadModule: () => Promise.reject(new WebAssembly.CompileError('no SIMD')) }],
    ['engine', { loadModule: () => Promise.reject(new TypeError('could not be loaded')) }],
    ['link', {}, 'https://pleach.example/abc'],
    ['not-found', { fetch: notFound }],
    ['digest', {}, `https://pleach.example/${ID}#m1.other`],
    ['digest', {}, `https://pleach.example/${'cd'.repeat(32)}`],
    ['manifest', { loadModule: async () => ({ ...MODULE, parseManifest: () => { throw new Error('version 9'); } }) }],
    ['not-yet', { loadModule: async () => ({ ...MODULE, parseManifest: () => ({ ...INFO, activeFromMs: 1_501 }) }) }],
    ['over', { loadModule: async () => ({ ...MODULE, parseManifest: () => ({ ...INFO, activeUntilMs: 1_500 }) }) }],
    ['storage-full', { openStore: () => Promise.reject(new StoreError({ code: 'no-space', message: 'full' })) }],
    ['too-large', { openStore: () => Promise.reject(new StoreError({ code: 'too-large', message: '' })) }],
    ['storage', { openStore: () => Promise.reject(new StoreError({ code: 'failed', message: '' })) }],
  ])('%s', async (kind, change, source) => {
    expect(await problemOn(change, source)).toMatchObject({ kind });
  });

  it('keep the words of whoever found them', () => {
    expect(problemOf(new TypeError('x is undefined'))).toEqual({ kind: 'engine', detail: 'TypeError: x is undefined' });
  });
});

describe('content that another tab has open', () => {
  const taken = () => Promise.reject(new StoreError({ code: 'already-open', message: '' }));

  it('is told and waited for, also when a third was quicker', async () => {
    const openStore = vi.fn(async () => ({ store, record: undefined })).mockImplementationOnce(taken).mockImplementationOnce(taken);
    const untilFree = vi.fn(async () => {});
    open({ openStore, untilFree });
    await settled();
    expect(untilFree).toHaveBeenCalledTimes(2);
    expect(untilFree).toHaveBeenLastCalledWith(ID, expect.anything());
    expect(events.map(({ type }) => type)).toEqual(['content', 'elsewhere', 'elsewhere']);
  });

  it('is waited for no longer once that is stopped', async () => {
    const untilFree = (_: string, signal: AbortSignal) => new Promise<void>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const engine = open({ openStore: taken, untilFree });
    await vi.waitFor(() => expect(events.at(-1)).toEqual({ type: 'elsewhere' }));
    engine.stop();
    await settled();
    expect(events.slice(-2)).toEqual([{ type: 'elsewhere' }, { type: 'stopped' }]);
  });

  it('is given to another tab as soon as this one has stopped', async () => {
    open();
    await settled();
    expect(store.close).not.toHaveBeenCalled();
    FakePeer.made[0]?.options.onEvent({ type: 'stopped' });
    expect(store.close).toHaveBeenCalledOnce();
  });
});

describe('a running peer', () => {
  const say = (event: PeerEvent) => FakePeer.made[0]?.options.onEvent(event);

  it('is passed on', async () => {
    open();
    await settled();
    say({ type: 'linkUp', link: 3, peer: 'p' });
    say({ type: 'trackerDown', reason: 'closed', retryMs: 4_000 });
    say({ type: 'complete' });
    expect(events.slice(1)).toEqual([
      { type: 'linkUp', peer: 'p' },
      { type: 'trackerDown', reason: 'closed', retryMs: 4_000 },
      { type: 'complete' },
    ]);
  });

  it.each([
    ['refused', 'refused', undefined],
    ['contentChanged', 'changed', undefined],
    ['store', 'storage', undefined],
    ['store', 'storage-full', new StoreError({ code: 'no-space', message: '' })],
  ] as const)('that fails with %s is a problem: %s', async (failure, kind, storeError) => {
    store = fakeStore({ failure: storeError });
    open();
    await settled();
    say({ type: 'failed', failure, message: 'why' });
    expect(events.at(-1)).toEqual({ type: 'failed', problem: { kind, detail: 'why' } });
  });

  it('takes a new limit, saves, stops', async () => {
    const engine = open();
    await settled();
    engine.setUploadLimit(null);
    expect(await engine.save({ what: { file: 0 }, fileName: 'a', onProgress: () => {} })).toEqual({ how: 'file', fileName: 'a' });
    engine.stop();
    expect(FakePeer.made[0]?.calls).toEqual(['limit null', 'stop']);
    expect(store.close).not.toHaveBeenCalled();
  });

  it('is given back, with its store, and says nothing after', async () => {
    const engine = open();
    await settled();
    engine.dispose();
    say({ type: 'stopped' });
    expect(FakePeer.made[0]?.calls).toEqual(['stop', 'free']);
    expect(store.close).toHaveBeenCalledOnce();
    expect(events).toHaveLength(1);
  });
});

describe('parts of a content', () => {
  const FOLDER: ManifestInfo = {
    ...INFO,
    name: 'Films',
    files: [
      { path: 'Films/a.txt', sizeBytes: 2, mediaType: null },
      { path: 'Films/b?.mp4', sizeBytes: 3, mediaType: 'video/mp4' },
    ],
  };
  const peer = () => FakePeer.made[0] as FakePeer;
  const all = async (stream: ReadableStream<Uint8Array>) => new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text();

  async function openFolder(change: Partial<EngineParts> = {}): Promise<PleachEngine> {
    store = fakeStore({ read: async (offset, length) => new TextEncoder().encode('12345').subarray(offset, offset + length) });
    const engine = open({ loadModule: async () => ({ ...MODULE, parseManifest: () => FOLDER }), ...change });
    await settled();
    return engine;
  }

  it('are told with their places', async () => {
    const engine = await openFolder();
    expect(events[0]).toMatchObject({ content: { files: [{ path: 'Films/a.txt', start: 0, end: 2 }, { start: 2, end: 5, mediaType: 'video/mp4' }] } });
    expect([...(engine.filesHeld() ?? [])]).toEqual([0, 0]);
  });

  it('are wanted when they are read, and come when they are written', async () => {
    const engine = await openFolder();
    const text = all(engine.read(2, 5));
    expect(peer().calls).toEqual(['want 2-5']);
    await peer().options.store.write(1, new Uint8Array(4));
    expect(await text).toBe('345');
    expect(peer().calls.at(-1)).toBe('want ');
    expect([...(engine.filesHeld() ?? [])]).toEqual([1, 3]);
  });

  it('are saved as they come, and from where they lie once all is there', async () => {
    const saves: Parameters<EngineParts['save']>[0][] = [];
    const save: EngineParts['save'] = async (options) => (saves.push(options), { how: 'file', fileName: options.fileName });
    const engine = await openFolder({ save });
    await expect(engine.file(1)).rejects.toThrow(/not complete/);
    await engine.save({ what: { file: 1 }, fileName: 'b', onProgress: () => {} });
    expect(await saves[0]?.source()).toMatchObject({ sizeBytes: 3, stream: expect.any(Function) });
    peer().options.onEvent({ type: 'complete' });
    expect(await (await saves[0]?.source())?.blob?.text()).toBe('345');
    expect(await (await engine.file(0)).text()).toBe('12');
  });

  it('are one ZIP, whose size is known before', async () => {
    const saves: Parameters<EngineParts['save']>[0][] = [];
    const engine = await openFolder({ save: async (options) => (saves.push(options), { how: 'file', fileName: options.fileName }) });
    peer().options.onEvent({ type: 'complete' });
    await engine.save({ what: 'zip', fileName: 'Films.zip', onProgress: () => {} });
    const source = await saves[0]?.source();
    const bytes = await new Response(source?.stream(new AbortController().signal) as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer();
    expect(bytes.byteLength).toBe(source?.sizeBytes);
    const text = new TextDecoder('latin1').decode(bytes);
    expect(text).toContain('Films/b_.mp4');
    expect(text).not.toContain('b?.mp4');
  });

  it('that did not come are not waited for any more after a stop', async () => {
    const engine = await openFolder();
    const text = all(engine.read(0, 5));
    peer().options.onEvent({ type: 'stopped' });
    await expect(text).rejects.toThrow(/stopped/);
  });
});

describe('packed content', () => {
  const INDEX = {
    name: 'plans.txt',
    mediaType: 'text/plain',
    files: [{ path: 'plans.txt', mediaType: 'text/plain', start: 0, end: 3, packedStart: 0, packedEnd: 5 }],
    sizeBytes: 3,
    packedBytes: 5,
    isEncrypted: true,
  };
  const packed: PackedContent = {
    info: INDEX,
    segmentAt: async () => ({ segment: 0, start: 0, end: 3, packedStart: 0, packedEnd: 5 }),
    decode: async (_segment, bytes) => bytes.slice(1, 4),
    isClosed: false,
    close: vi.fn(),
  };
  const named = (name: string): Error => Object.assign(new Error(name), { name });
  const load = (by: ManifestInfo['packed']) => async () => ({ ...MODULE, parseManifest: () => ({ ...INFO, name: 'packed', packed: by }) });

  it('is opened with the key of the link, and its files are told and read', async () => {
    const openPacked = vi.fn(async () => packed);
    store = fakeStore({
      readInto: async (offset, room) => {
        room.set(new TextEncoder().encode('<abc>').subarray(offset, offset + room.length));
        return room;
      },
    });
    const fetched: string[] = [];
    const fetch = async (input: RequestInfo | URL): Promise<Response> => (fetched.push(String(input)), new Response(new Uint8Array([1])));
    const engine = open({ loadModule: load('key'), openPacked, fetch }, `${LINK}&k1.SECRET`);
    await settled();
    expect(openPacked).toHaveBeenCalledExactlyOnceWith(new Uint8Array([1]), { key: 'SECRET', password: null });
    expect(events[0]).toMatchObject({ content: { name: 'plans.txt', sizeBytes: 5, packed: 'encrypted', files: [{ start: 0, end: 3 }] } });
    FakePeer.made[0]?.options.onEvent({ type: 'complete' });
    expect(await new Response(engine.read(1, 3) as ReadableStream<Uint8Array<ArrayBuffer>>).text()).toBe('bc');
    expect(JSON.stringify([fetched, FakePeer.made[0]?.options, events])).not.toContain('SECRET');
    engine.dispose();
    expect(packed.close).toHaveBeenCalled();
  });

  it('says that the key is missing or wrong', async () => {
    const problem = await problemOn({ loadModule: load('key'), openPacked: () => Promise.reject(named('WrongKey')) });
    expect(problem?.kind).toBe('key');
    expect(FakePeer.made).toHaveLength(0);
  });

  it('asks for a password until it is right', async () => {
    const openPacked: EngineParts['openPacked'] = async (_manifest, { password }) => {
      if (password !== 'horse') throw named('WrongPassword');
      return packed;
    };
    const engine = open({ loadModule: load('password'), openPacked });
    await vi.waitFor(() => expect(events.at(-1)).toEqual({ type: 'locked', wrong: false }));
    engine.unlock('donkey');
    await vi.waitFor(() => expect(events.at(-1)).toEqual({ type: 'locked', wrong: true }));
    engine.unlock('horse');
    await settled();
    expect(events.at(-1)).toMatchObject({ type: 'content', content: { name: 'plans.txt' } });
    engine.dispose();
    // The next attempt finds it open, whose store is told no name.
    FakePeer.made = [];
    const openStore = vi.fn(async () => ({ store, record: undefined }));
    const again = open({ loadModule: load('password'), openPacked: () => Promise.reject(named('WrongPassword')), openStore });
    await settled();
    expect(events.filter(({ type }) => type === 'locked')).toHaveLength(2);
    expect(openStore).toHaveBeenCalledExactlyOnceWith({ content: ID, sizeBytes: 5, name: '', page: `/${ID}#m1.0`, quotaBytes: 9 });
    again.dispose();
    expect(takeUnlocked(INFO.digest)).toBe(packed);
  });

  it('waits for no password after a stop', async () => {
    const engine = open({ loadModule: load('password') });
    await vi.waitFor(() => expect(events.at(-1)).toEqual({ type: 'locked', wrong: false }));
    engine.stop();
    await vi.waitFor(() => expect(events.at(-1)).toEqual({ type: 'stopped' }));
  });
});

describe('stopping while opening', () => {
  it('ends at once, and a store that opens later is closed', async () => {
    let opened: (() => void) | undefined;
    const engine = open({ openStore: () => new Promise((resolve) => (opened = () => resolve({ store, record: undefined }))) });
    await vi.waitFor(() => expect(opened).toBeDefined());
    engine.stop();
    opened?.();
    await settled();
    expect(events.map(({ type }) => type)).toEqual(['content', 'stopped']);
    expect(FakePeer.made).toHaveLength(0);
    expect(store.close).toHaveBeenCalledOnce();
  });

  it('the next attempt waits until the store is closed', async () => {
    let closed: (() => void) | undefined;
    store = fakeStore({ close: () => new Promise((resolve) => (closed = resolve)) });
    const first = open();
    await settled();
    first.dispose();
    FakePeer.made = [];
    const openStore = vi.fn(async () => ({ store: fakeStore(), record: undefined }));
    open({ openStore });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(openStore).not.toHaveBeenCalled();
    closed?.();
    await settled();
    expect(openStore).toHaveBeenCalledOnce();
  });
});
