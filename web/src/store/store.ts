/**
 * The download store: `dispatch` says what a person wants, `getState` and `subscribe` tell how it stands. It drives
 * one engine at a time through `EnginePort` and knows no DOM.
 */

import type { EngineEvent, EnginePort, SaveWhat, WebUse } from '../engine/port.js';
import type { ReadOptions } from '../reading/content-reader.js';
import { fileName } from './names.js';
import {
  canRead,
  canSave,
  canSaveFile,
  canStart,
  initialState,
  isBusy,
  isComplete,
  isFolder,
  reduce,
  type DownloadAction,
  type DownloadState,
  type FileSave,
  type UploadSetting,
} from './state.js';

/** Those that the description names, as fast as they are. */
const ANY_WEB: WebUse = { sources: [], limitBytesPerS: null };

/** What a person, or a page on behalf of one, may ask for. */
export type DownloadCommand =
  /** Begin, go on after a stop, or try again after a failure. `quotaBytes` and `web`: see `OpenOptions`. */
  | { readonly type: 'start'; readonly source: string; readonly quotaBytes?: number | null; readonly web?: WebUse }
  /** Leave the swarm; what is verified stays. */
  | { readonly type: 'stop' }
  /**
   * Write the file, or all of them as one ZIP or into a folder; only inside a click, only when complete. `name` replaces
   * the author's.
   */
  | { readonly type: 'save'; readonly name?: string; readonly as?: 'zip' | 'folder' }
  /** Write one of several files; only inside a click. What of it is missing is got first, and waited for. */
  | { readonly type: 'saveFile'; readonly file: number }
  | { readonly type: 'cancelSaveFile'; readonly file: number }
  /** Try a password; see `locked` of the state. */
  | { readonly type: 'unlock'; readonly password: string }
  | { readonly type: 'setUpload'; readonly upload: UploadSetting };

export interface DownloadStore {
  getState(): DownloadState;
  /** Hears of every change, not of the present; gives back how to stop hearing. */
  subscribe(listener: (state: DownloadState) => void): () => void;
  dispatch(command: DownloadCommand): void;
  /** The tracker's picture of who feeds whom, as it came; `null` if it gives none. */
  forest(): Promise<unknown>;
  /** Bytes of the content as they come; throws where `canRead` says no. See `EnginePort`. */
  read(start: number, end: number, options?: ReadOptions): ReadableStream<Uint8Array>;
  repace(): void;
  /** A complete file where it is stored; rejects while the content is not complete. */
  file(file: number): Promise<Blob>;
  /**
   * The bytes of a descriptor, as soon as all of them are there. Rejects if there is no such descriptor, and when the
   * download ends before.
   */
  descriptor(index: number): Promise<Blob>;
  /** Ends everything. */
  dispose(): void;
}

export interface StoreOptions {
  /** A new engine for each attempt. */
  readonly createEngine: () => EnginePort;
  readonly upload?: UploadSetting;
  readonly now?: () => number;
}

/** How often the numbers are refreshed. Nothing but the display hangs on it: browsers slow timers of hidden pages. */
export const TICK_MS = 500;

export function createDownloadStore({ createEngine, upload, now = () => performance.now() }: StoreOptions): DownloadStore {
  let state = initialState(upload ?? { allowed: true, limitBytesPerS: null });
  let engine: EnginePort | null = null;
  let ticker: ReturnType<typeof setInterval> | undefined;
  let isDisposed = false;
  /** Those of `until`, which the end concerns too. */
  const waiting = new Set<() => void>();
  const fileSaves = new Map<number, AbortController>();
  const listeners = new Set<(state: DownloadState) => void>();

  function apply(action: DownloadAction): void {
    const next = reduce(state, action);
    if (next === state) return;
    state = next;
    for (const listener of listeners) listener(state);
  }

  function tick(): void {
    const filesHeld = isFolder(state.content) ? (engine?.filesHeld() ?? null) : null;
    apply({ type: 'tick', stats: engine?.stats() ?? null, filesHeld, nowMs: now() });
  }

  function setTicking(ticking: boolean): void {
    if (ticking && ticker === undefined) ticker = setInterval(tick, TICK_MS);
    if (!ticking && ticker !== undefined) {
      clearInterval(ticker);
      ticker = undefined;
    }
  }

  function hear(speaker: EnginePort, event: EngineEvent): void {
    // A former attempt has nothing to say any more.
    if (speaker !== engine) return;
    // The numbers that go with the news: the last byte counts before `complete`, the links after `linkUp`.
    tick();
    apply({ type: 'engine', event, nowMs: now() });
    setTicking(state.sharing);
  }

  function start(source: string, quotaBytes: number | null, web: WebUse): void {
    if (!canStart(state.phase)) return;
    disposeEngine();
    const started = createEngine();
    engine = started;
    apply({ type: 'start', source, nowMs: now() });
    setTicking(true);
    started.open(source, { uploadBytesPerS: uploadBytesPerS(state.upload), quotaBytes, web, onEvent: (event) => hear(started, event) });
  }

  function stop(): void {
    if (!isBusy(state.phase) && !isComplete(state.phase)) return;
    engine?.stop();
    apply({ type: 'stop', nowMs: now() });
    setTicking(false);
  }

  function disposeEngine(): void {
    for (const saving of fileSaves.values()) saving.abort();
    fileSaves.clear();
    engine?.dispose();
    engine = null;
  }

  /** All of it. */
  function save(name: string, as: 'zip' | 'folder'): void {
    const saver = engine;
    if (!saver || !canSave(state.phase)) return;
    const what: SaveWhat = isFolder(state.content) ? as : { file: 0 };
    // First the engine, as the file picker opens only inside a click; then the news of it.
    const saving = saver.save({
      what,
      fileName: fileName(what === 'zip' ? `${name}.zip` : name),
      onProgress: (savedBytes) => {
        if (saver === engine) apply({ type: 'saveProgress', savedBytes });
      },
    });
    apply({ type: 'saveStarted', nowMs: now() });
    saving.then(
      (result) => apply(result.how === 'cancelled' ? { type: 'saveCancelled' } : { type: 'saveDone', saved: result }),
      (error: unknown) => apply({ type: 'saveFailed', reason: error instanceof Error ? error.message : String(error) }),
    );
  }

  function saveFile(file: number): void {
    const saver = engine;
    const found = state.content?.files[file];
    if (!saver || !found || !canSaveFile(state, file)) return;
    const giveUp = new AbortController();
    const tell = (save: FileSave | null): void => {
      if (fileSaves.get(file) !== giveUp) return;
      if (save?.status !== 'saving') fileSaves.delete(file);
      apply({ type: 'fileSave', file, save });
    };
    const saving = saver.save({
      what: { file },
      fileName: fileName(found.path.slice(found.path.lastIndexOf('/') + 1)),
      signal: giveUp.signal,
      onProgress: (savedBytes) => tell({ status: 'saving', savedBytes }),
    });
    fileSaves.set(file, giveUp);
    tell({ status: 'saving', savedBytes: 0 });
    saving.then(
      ({ how }) => tell(how === 'cancelled' ? null : { status: 'saved', how }),
      (error: unknown) => tell({ status: 'failed', reason: error instanceof Error ? error.message : String(error) }),
    );
  }

  function reader(): EnginePort {
    if (!engine || !canRead(state.phase)) throw new Error('there is nothing to read yet');
    return engine;
  }

  /** Until the condition gives something; rejects when nothing can come any more. */
  function until(condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (condition()) resolve();
        else if (state.phase === 'failed' || state.phase === 'stopped' || isDisposed) reject(new Error('the download ended before it was there'));
        else return;
        listeners.delete(look);
        waiting.delete(look);
      };
      listeners.add(look);
      waiting.add(look);
      look();
    });
  }

  async function descriptor(index: number): Promise<Blob> {
    await until(() => state.content !== null);
    if (!state.content?.descriptors?.[index]) throw new RangeError(`there is no descriptor ${index}`);
    await until(() => state.descriptors.includes(index));
    return reader().descriptor(index);
  }

  return {
    getState: () => state,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    dispatch(command) {
      switch (command.type) {
        case 'start':
          return start(command.source, command.quotaBytes ?? null, command.web ?? ANY_WEB);
        case 'stop':
          return stop();
        case 'save':
          return save(command.name ?? state.content?.name ?? '', command.as ?? 'zip');
        case 'saveFile':
          return saveFile(command.file);
        case 'cancelSaveFile':
          return fileSaves.get(command.file)?.abort();
        case 'unlock':
          apply({ type: 'unlock' });
          return engine?.unlock(command.password);
        case 'setUpload':
          apply({ type: 'upload', upload: command.upload });
          engine?.setUploadLimit(uploadBytesPerS(command.upload));
      }
    },
    forest: () => engine?.forest() ?? Promise.resolve(null),
    read: (start, end, options) => reader().read(start, end, options),
    repace: () => engine?.repace(),
    file: async (file) => reader().file(file),
    descriptor,
    dispose() {
      isDisposed = true;
      for (const look of [...waiting]) look();
      setTicking(false);
      disposeEngine();
      listeners.clear();
    },
  };
}

function uploadBytesPerS(upload: UploadSetting): number | null {
  return upload.allowed ? upload.limitBytesPerS : 0;
}
