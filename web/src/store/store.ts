/**
 * The download store: `dispatch` says what a person wants, `getState` and `subscribe` tell how it stands. It drives
 * one engine at a time through `EnginePort` and knows no DOM.
 */

import type { EngineEvent, EnginePort } from '../engine/port.js';
import { fileName } from './names.js';
import {
  canSave,
  canStart,
  initialState,
  isBusy,
  isComplete,
  reduce,
  type DownloadAction,
  type DownloadState,
  type UploadSetting,
} from './state.js';

/** What a person, or a page on behalf of one, may ask for. */
export type DownloadCommand =
  /** Begin, go on after a stop, or try again after a failure. */
  | { readonly type: 'start'; readonly source: string }
  /** Leave the swarm; what is verified stays. */
  | { readonly type: 'stop' }
  /** Write the file; only inside a click, only when complete. `name` replaces the author's. */
  | { readonly type: 'save'; readonly name?: string }
  | { readonly type: 'setUpload'; readonly upload: UploadSetting };

export interface DownloadStore {
  getState(): DownloadState;
  /** Hears of every change, not of the present; gives back how to stop hearing. */
  subscribe(listener: (state: DownloadState) => void): () => void;
  dispatch(command: DownloadCommand): void;
  /** The tracker's picture of who feeds whom, as it came; `null` if it gives none. */
  forest(): Promise<unknown>;
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
  const listeners = new Set<(state: DownloadState) => void>();

  function apply(action: DownloadAction): void {
    const next = reduce(state, action);
    if (next === state) return;
    state = next;
    for (const listener of listeners) listener(state);
  }

  const tick = (): void => apply({ type: 'tick', stats: engine?.stats() ?? null, nowMs: now() });

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

  function start(source: string): void {
    if (!canStart(state.phase)) return;
    engine?.dispose();
    const started = createEngine();
    engine = started;
    apply({ type: 'start', source, nowMs: now() });
    setTicking(true);
    started.open(source, { uploadBytesPerS: uploadBytesPerS(state.upload), onEvent: (event) => hear(started, event) });
  }

  function stop(): void {
    if (!isBusy(state.phase) && !isComplete(state.phase)) return;
    engine?.stop();
    apply({ type: 'stop', nowMs: now() });
    setTicking(false);
  }

  function save(name: string): void {
    const saver = engine;
    if (!saver || !canSave(state.phase)) return;
    // First the engine, as the file picker opens only inside a click; then the news of it.
    const saving = saver.save({
      fileName: fileName(name),
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

  return {
    getState: () => state,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    dispatch(command) {
      switch (command.type) {
        case 'start':
          return start(command.source);
        case 'stop':
          return stop();
        case 'save':
          return save(command.name ?? state.content?.name ?? '');
        case 'setUpload':
          apply({ type: 'upload', upload: command.upload });
          engine?.setUploadLimit(uploadBytesPerS(command.upload));
      }
    },
    forest: () => engine?.forest() ?? Promise.resolve(null),
    dispose() {
      setTicking(false);
      engine?.dispose();
      engine = null;
      listeners.clear();
    },
  };
}

function uploadBytesPerS(upload: UploadSetting): number | null {
  return upload.allowed ? upload.limitBytesPerS : 0;
}
