/**
 * The real engine behind the port: one attempt at one download.
 *
 * ```text
 * source ─► engine loaded ─► manifest fetched, and checked against the link ─► store opened ─► peer ─► events
 *                                    └─► what is packed is opened                  └─────────────┴─► reader ─► saves, players
 * ```
 *
 * Each step may be waited for, may fail with a problem of its own kind, and is given up at once by `stop`. What it is
 * made of (`EngineParts`) comes from outside: `parts.ts` takes it from the page, tests pretend.
 */

import type { LinkInfo, ManifestInfo, PeerEvent, PeerOptions, PleachPeer } from '../../pkg/pleach_browser.js';
import { ContentReader, type ReadOptions } from '../reading/content-reader.js';
import { gather, type ContentDescriptor } from '../reading/descriptors.js';
import type { PackedContent } from '../packing/packed-content.js';
import type { Secrets } from '../packing/protocol.js';
import { putAsideUnlocked, takeUnlocked } from '../packing/unlocked.js';
import { PackedReader } from '../reading/packed-reader.js';
import type { save, saveFolder, SaveSource } from '../storage/save.js';
import { StoreError, type ContentStore, type OpenedStore, type StorePlace } from '../storage/store.js';
import { filePaths } from '../store/names.js';
import { checkActive, watchOver } from './active-time.js';
import { agentName, type NavigatorLike } from './agent.js';
import { fetchForest } from './fetch-forest.js';
import { fetchManifest, type ManifestRequest } from './manifest.js';
import { findKept } from './find-kept.js';
import type { ContentFile, ContentInfo, EngineEvent, EnginePort, EngineStats, OpenOptions, Problem, SaveOptions, SaveResult, WebUse } from './port.js';
import { as, failureProblem, ProblemError, problemOf, textOf } from './problems.js';

/** What the page does with a peer. */
export type EnginePeer = Pick<PleachPeer, 'stats' | 'setUploadLimit' | 'want' | 'heldUntil' | 'stop' | 'free'>;

/** The wasm module, as much of it as is used. */
export interface EngineModule {
  readonly PleachPeer: new (options: PeerOptions) => EnginePeer;
  parseManifest(bytes: Uint8Array, digestHex?: string | null): ManifestInfo;
  parseLink(text: string): LinkInfo;
}

export interface EngineParts {
  /** What the browser lacks, without which nothing goes. */
  missing(): Problem | null;
  /** Whether the browser can connect to others (WebRTC). */
  canConnect(): boolean;
  loadModule(): Promise<EngineModule>;
  openStore(place: StorePlace): Promise<OpenedStore>;
  /** Resolves when it is worth while to open a content again that another tab has. */
  untilFree(content: string, signal: AbortSignal): Promise<void>;
  /** Opens packed content; rejects with a `WrongKey` or `WrongPassword`. */
  openPacked(manifest: Uint8Array, secrets: Secrets): Promise<PackedContent>;
  /** The path of the page, with what follows it. */
  page(): string;
  readonly save: typeof save;
  readonly saveFolder: typeof saveFolder;
  readonly fetch: typeof fetch;
  readonly pause: ManifestRequest['pause'];
  /** The clock on the wall: milliseconds since 1970. It may be set at any time. */
  readonly now: () => number;
  readonly navigator: NavigatorLike & { readonly onLine: boolean };
  /** Tells `online` and `offline`. */
  readonly network: Pick<EventTarget, 'addEventListener' | 'removeEventListener'>;
}

interface Target {
  readonly manifest: Uint8Array;
  readonly info: ManifestInfo;
  /** Where the manifest came from: its content may lie beside it. */
  readonly manifestUrl: string;
  /** `null`: there is none, or none that is of use, and all comes from web servers. */
  readonly trackerUrl: string | null;
  /** Whether others could be met, if only the browser could connect to them. */
  readonly isAlone: boolean;
  /** From behind the `#`. Told to nobody but what opens the content. */
  readonly key: string | null;
}

/** A content's store is open once only. An attempt waits until the one before has let go. */
const closing = new Map<string, Promise<void>>();

export class PleachEngine implements EnginePort {
  readonly #parts: EngineParts;
  readonly #ended = new AbortController();
  /** Aborted when it does not matter any more that the content's time is over. */
  readonly #watching = new AbortController();
  #tell: (event: EngineEvent) => void = () => {};
  #peer: EnginePeer | null = null;
  #id = '';
  #files: readonly ContentFile[] = [];
  #descriptors: readonly ContentDescriptor[] = [];
  #packed: PackedContent | null = null;
  /** The manifest's digest, if the content was opened by a password. */
  #unlockedAs: string | null = null;
  #packedReader: PackedReader | null = null;
  /** Set while a password is waited for. */
  #unlock: ((password: string) => void) | null = null;
  #reader: ContentReader | null = null;
  #isComplete = false;
  #trackerUrl: string | null = null;
  /** What it is called that nobody can be asked. */
  #nowhere: 'no-webrtc' | 'manifest' = 'manifest';
  #store: ContentStore | null = null;
  #uploadBytesPerS: number | null = null;
  #quotaBytes: number | null = null;
  #web: WebUse = { sources: [], limitBytesPerS: null };

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  open(source: string, { uploadBytesPerS, quotaBytes, web, onEvent }: OpenOptions): void {
    const { network } = this.#parts;
    this.#tell = onEvent;
    this.#uploadBytesPerS = uploadBytesPerS;
    this.#quotaBytes = quotaBytes;
    this.#web = web;
    network.addEventListener('online', this.#onNetwork);
    network.addEventListener('offline', this.#onNetwork);
    void this.#run(source);
  }

  stats(): EngineStats | null {
    return this.#peer?.stats() ?? null;
  }

  unlock(password: string): void {
    this.#unlock?.(password);
  }

  setUploadLimit(bytesPerS: number | null): void {
    this.#uploadBytesPerS = bytesPerS;
    this.#peer?.setUploadLimit(bytesPerS);
  }

  async forest(): Promise<unknown> {
    if (!this.#peer || this.#trackerUrl === null) return null;
    return fetchForest(this.#trackerUrl, this.#id, this.#parts.fetch, this.#ended.signal);
  }

  filesHeld(): Float64Array | null {
    return this.#packedReader?.filesHeld() ?? this.#reader?.bytesIn(this.#files) ?? null;
  }

  read(start: number, end: number, options?: ReadOptions): ReadableStream<Uint8Array> {
    if (!this.#reader) throw new Error('there is nothing to read yet');
    return (this.#packedReader ?? this.#reader).read(start, end, options);
  }

  repace(): void {
    this.#reader?.tell();
  }

  async file(file: number): Promise<Blob> {
    const { blob, sizeBytes, stream } = await this.#source(this.#file(file));
    if (blob) return blob;
    if (!this.#isComplete || !this.#store) throw new Error('the content is not complete');
    // What is stored is packed: a file of its own, gone with the page.
    const spool = await this.#store.spool(sizeBytes);
    const reader = stream(this.#ended.signal, true).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) await spool.write(part.value);
    return spool.finish();
  }

  async descriptor(index: number): Promise<Blob> {
    const [descriptor, reader] = [this.#descriptors[index], this.#reader];
    if (!descriptor || !reader) throw new RangeError(`there is no descriptor ${index}`);
    return gather(descriptor, (start, end) => reader.read(start, end, { signal: this.#ended.signal }));
  }

  async save({ what, fileName, onProgress, signal }: SaveOptions): Promise<SaveResult> {
    const store = this.#store;
    if (!store) throw new Error('there is nothing to save yet');
    const common = { store, fileName, onProgress, signal: signal ?? this.#ended.signal };
    // Nothing may be waited for before a picker opens.
    if (what === 'folder') return this.#parts.saveFolder({ ...common, folderName: fileName, files: () => this.#entries() });
    const source = async (): Promise<SaveSource> => (what === 'zip' ? this.#zip() : this.#source(this.#file(what.file)));
    return this.#parts.save({ ...common, source });
  }

  #file(file: number): ContentFile {
    const found = this.#files[file];
    if (!found) throw new RangeError(`there is no file ${file}`);
    return found;
  }

  /** From where it lies, once nothing is written to it any more; until then as it comes. */
  async #source({ start, end }: ContentFile): Promise<SaveSource> {
    const sizeBytes = end - start;
    const stream: SaveSource['stream'] = (signal, isLent) => this.read(start, end, { signal, isLent });
    if (!this.#isComplete || !this.#store || this.#packed) return { sizeBytes, stream };
    const whole = await this.#store.file();
    return { sizeBytes, stream, blob: whole.slice(start, end) };
  }

  async #entries(): Promise<{ path: string; source: SaveSource }[]> {
    const paths = filePaths(this.#files.map(({ path }) => path));
    return Promise.all(this.#files.map(async (file, at) => ({ path: paths[at] as string, source: await this.#source(file) })));
  }

  async #zip(): Promise<SaveSource> {
    const { zipOf } = await import('../reading/zip.js');
    return zipOf(await this.#entries());
  }

  stop(): void {
    if (this.#peer) this.#peer.stop();
    else this.#end();
  }

  dispose(): void {
    this.#tell = () => {};
    this.#end();
    this.#reader?.end(new Error('the page gave it up'));
    this.#peer?.stop();
    this.#peer?.free();
    this.#peer = null;
    this.#closeStore();
    this.#closePacked();
  }

  async #run(source: string): Promise<void> {
    const { signal } = this.#ended;
    try {
      // Nothing is told before `open` has returned.
      await Promise.resolve();
      if (!this.#parts.navigator.onLine) this.#onNetwork();
      const missing = this.#parts.missing();
      if (missing) throw new ProblemError(missing.kind, missing.detail);
      const module = await this.#parts.loadModule();
      signal.throwIfAborted();
      const target = await this.#find(module, source);
      signal.throwIfAborted();
      checkActive(target.info, this.#parts.now());
      const content = await this.#describe(target);
      const { id, sizeBytes, packed } = content;
      this.#id = id;
      this.#files = content.files;
      this.#descriptors = content.descriptors ?? [];
      this.#tell({ type: 'content', content });
      await closing.get(id);
      signal.throwIfAborted();
      // What is encrypted has no name outside the memory of its page.
      const name = packed === 'encrypted' ? '' : content.name;
      const page = hasKey(target) ? '' : this.#parts.page();
      const opened = await this.#openStore({ content: id, sizeBytes, name, page, quotaBytes: this.#quotaBytes });
      this.#store = opened.store;
      signal.throwIfAborted();
      if (!opened.store.isLasting) this.#tell({ type: 'memoryOnly' });
      // A peer that may ask neither others nor a web server is not made, unless something is kept.
      this.#nowhere = target.isAlone ? 'no-webrtc' : 'manifest';
      await as(this.#nowhere, () => this.#start(module, target, opened));
      if (target.isAlone && this.#canGet()) this.#tell({ type: 'webOnly' });
      watchOver(target.info, this.#parts.now, this.#watching.signal, (problem) => this.#endAs(problem));
    } catch (error) {
      this.#closeStore();
      if (!signal.aborted) this.#tell({ type: 'failed', problem: problemOf(error) });
      this.#tell({ type: 'stopped' });
    }
  }

  /** While another tab has the content, that is told and waited for. */
  async #openStore(place: StorePlace): Promise<OpenedStore> {
    const { signal } = this.#ended;
    for (;;) {
      try {
        return await this.#parts.openStore(place);
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== 'already-open') throw error;
      }
      signal.throwIfAborted();
      this.#tell({ type: 'elsewhere' });
      await this.#parts.untilFree(place.content, signal);
    }
  }

  /** What it is; of packed content what its index says, once that is open. */
  async #describe(target: Target): Promise<ContentInfo> {
    const { id, name, sizeBytes, mediaType, packed } = target.info;
    const descriptors = target.info.descriptors.map(({ name: own, runs }) => ({ name: own ?? '', runs }));
    if (!packed) return { id, name, sizeBytes, mediaType: mediaType ?? '', files: filesOf(target.info), descriptors };
    const opened = packed === 'password' ? await this.#openByPassword(target) : await this.#openByKey(target);
    this.#packed = opened;
    this.#unlockedAs = packed === 'password' ? target.info.digest : null;
    if (this.#ended.signal.aborted) this.#closePacked();
    this.#ended.signal.throwIfAborted();
    const { info } = opened;
    const files = info.files.map(({ path, start, end, mediaType: type }) => ({ path, start, end, mediaType: type }));
    return { id, name: info.name, sizeBytes, mediaType: info.mediaType, files, packed: info.isEncrypted ? 'encrypted' : 'compressed', descriptors };
  }

  async #openByKey({ manifest, key }: Target): Promise<PackedContent> {
    try {
      return await this.#parts.openPacked(manifest, { key, password: null });
    } catch (error) {
      throw new ProblemError(isNamed(error, 'WrongKey') ? 'key' : 'manifest', textOf(error), { cause: error });
    }
  }

  async #openByPassword({ manifest, info }: Target): Promise<PackedContent> {
    const before = takeUnlocked(info.digest);
    if (before) return before;
    for (let wrong = false; ; wrong = true) {
      const password = await this.#askPassword(wrong);
      try {
        return await this.#parts.openPacked(manifest, { key: null, password });
      } catch (error) {
        if (!isNamed(error, 'WrongPassword')) throw error;
      }
    }
  }

  #askPassword(wrong: boolean): Promise<string> {
    const { signal } = this.#ended;
    return new Promise((resolve, reject) => {
      const end = (): void => reject(signal.reason);
      this.#unlock = (password) => {
        this.#unlock = null;
        signal.removeEventListener('abort', end);
        resolve(password);
      };
      signal.throwIfAborted();
      signal.addEventListener('abort', end, { once: true });
      this.#tell({ type: 'locked', wrong });
    });
  }

  /** The manifest, known to be the one that the source means. */
  async #find(module: EngineModule, source: string): Promise<Target> {
    const direct = isManifestUrl(source);
    const link = direct ? null : await as('link', () => module.parseLink(source));
    const manifestUrl = link ? link.manifestUrl : withoutFragment(source);
    const manifest = await fetchManifest({
      url: manifestUrl,
      signal: this.#ended.signal,
      onWaiting: (reason, retryMs) => this.#tell({ type: 'waiting', reason, retryMs: this.#parts.navigator.onLine ? retryMs : null }),
      fetch: this.#parts.fetch,
      pause: this.#parts.pause,
    });
    const info = await as('manifest', () => module.parseManifest(manifest));
    // A manifest that lies beside a share page is reached as the page would be, with the same promises behind the `#`.
    const promised = link ?? (await as('link', () => module.parseLink(pageUrl(source, info.id))));
    if (info.id !== promised.id) throw new ProblemError('digest', 'the manifest is of another content than the link');
    if (promised.manifestDigest !== null) await as('digest', () => module.parseManifest(manifest, promised.manifestDigest));
    // A tracker hands manifests out under the content's id; what lies elsewhere says itself where its tracker is.
    const own = !direct || new URL(manifestUrl).pathname.endsWith(`/${info.id}.pleach`) ? promised.trackerUrl : null;
    const trackerUrl = (direct ? info.trackers[0] : undefined) ?? own;
    const canConnect = this.#parts.canConnect();
    return { manifest, info, manifestUrl, trackerUrl: canConnect ? trackerUrl : null, isAlone: trackerUrl !== null && !canConnect, key: promised.key };
  }

  #start({ PleachPeer }: EngineModule, { manifest, manifestUrl, trackerUrl }: Target, { store, record }: OpenedStore): void {
    this.#trackerUrl = trackerUrl;
    const reader = new ContentReader({
      sizeBytes: store.sizeBytes,
      read: (offset, length) => store.read(offset, length),
      readInto: (offset, room) => store.readInto(offset, room),
      heldUntil: (start) => this.#peer?.heldUntil(start) ?? start,
      want: (wants) => this.#peer?.want(wants),
    });
    this.#reader = reader;
    this.#packedReader = this.#packed && new PackedReader(reader, this.#packed);
    this.#peer = new PleachPeer({
      manifest,
      manifestUrl,
      trackerUrl,
      store: {
        // The engine writes what it has verified, and nothing else.
        write: async (offset, bytes) => {
          const end = offset + bytes.length;
          await store.write(offset, bytes);
          reader.note(offset, end);
        },
        read: (offset, length) => store.read(offset, length),
        appendRecord: (bytes) => store.appendRecord(bytes),
      },
      record,
      sources: [...this.#web.sources],
      sourceLimit: this.#web.limitBytesPerS,
      uploadLimit: this.#uploadBytesPerS,
      agent: agentName(this.#parts.navigator),
      onEvent: (event) => this.#hear(event),
    });
  }

  #hear(event: PeerEvent): void {
    switch (event.type) {
      case 'linkUp':
        return this.#tell({ type: 'linkUp', peer: event.peer });
      case 'linkDown':
        return this.#tell({ type: 'linkDown', peer: event.peer, reason: event.reason });
      case 'came':
        // Its write was noted when it was done.
        return;
      case 'resumed':
        this.#store?.noteHeld(event.bytes);
        if (this.#reader) void findKept(this.#reader, this.#ended.signal);
        this.#tell(event);
        if (event.bytes < (this.#store?.sizeBytes ?? 0) && !this.#canGet()) this.#giveUp();
        return;
      case 'complete':
        this.#isComplete = true;
        this.#store?.noteHeld(this.#store.sizeBytes);
        this.#reader?.note(0, this.#store?.sizeBytes ?? 0);
        return this.#tell(event);
      case 'stopped':
        this.#watching.abort();
        this.#reader?.end(new Error('the download was stopped'));
        // What is not complete can't be saved: another tab may go on with it.
        if (!this.#isComplete) this.#closeStore();
        return this.#tell(event);
      case 'failed':
        return this.#tell({ type: 'failed', problem: failureProblem(event.failure, event.message, this.#store?.failure) });
      default:
        return this.#tell(event);
    }
  }

  /** Whether there is somebody, or something, to get it from. */
  #canGet(): boolean {
    return this.#trackerUrl !== null || (this.#peer?.stats().sources.length ?? 0) > 0;
  }

  /** What is kept is not all, and there is nowhere to get the rest. */
  #giveUp(): void {
    this.#tell({ type: 'failed', problem: { kind: this.#nowhere, detail: 'what is kept is not all, and neither a tracker nor a web server can be asked' } });
    this.#peer?.stop();
  }

  readonly #onNetwork = (): void => {
    this.#tell({ type: 'network', online: this.#parts.navigator.onLine });
  };

  /** Leaves the swarm for this reason. What is verified stays. */
  #endAs(problem: Problem): void {
    this.#tell({ type: 'failed', problem });
    this.#peer?.stop();
  }

  /** No step is begun any more, and the page's events are no concern. */
  #end(): void {
    this.#ended.abort();
    this.#watching.abort();
    this.#parts.network.removeEventListener('online', this.#onNetwork);
    this.#parts.network.removeEventListener('offline', this.#onNetwork);
  }

  #closePacked(): void {
    const packed = this.#packed;
    this.#packed = null;
    if (packed && this.#unlockedAs !== null) putAsideUnlocked(this.#unlockedAs, packed);
    else packed?.close();
  }

  #closeStore(): void {
    const store = this.#store;
    const id = this.#id;
    this.#store = null;
    if (!store) return;
    const closed = store.close().catch(() => {});
    closing.set(id, closed);
    void closed.then(() => {
      if (closing.get(id) === closed) closing.delete(id);
    });
  }
}

/** Where each file is in the content. */
function filesOf({ files }: ManifestInfo): ContentFile[] {
  let end = 0;
  return files.map(({ path, sizeBytes, mediaType }) => {
    const start = end;
    end += sizeBytes;
    return { path, start, end, mediaType: mediaType ?? '' };
  });
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}

function isManifestUrl(source: string): boolean {
  return URL.canParse(source) && new URL(source).pathname.endsWith('.pleach');
}

function withoutFragment(source: string): string {
  const url = new URL(source);
  url.hash = '';
  return url.href;
}

/** `https://HOST/shares/talk.pleach#m1.…` → `https://HOST/<id>#m1.…` */
/** Whether what opens it is, or may be, in the address of the page. A password never is. */
function hasKey({ info, key }: Target): boolean {
  return key !== null || info.packed === 'key';
}

function pageUrl(source: string, id: string): string {
  const { origin, hash } = new URL(source);
  return `${origin}/${id}${hash}`;
}
