/**
 * The state of one download, and how each action changes it: a pure function, with the time in the actions.
 *
 * ```
 *                    ┌────────────── start ◄───────────────┐
 * idle ─ start ─► opening ─► checking ─► searching ◄─► downloading ─► complete ─► saving ─► saved
 *                    └──────────┴────────────┴─────────────┴─► failed | stopped      ▲  └──────┘
 *                                                                                    └─ a failed or cancelled save
 * ```
 *
 * `checking` (what is kept of an earlier visit) is passed over where there is nothing to check. What was verified
 * before a stop or a failure is kept by the engine's store, so `start` goes on rather than begins again.
 */

import { PACKET_BYTES, type ContentInfo, type EngineEvent, type EngineSource, type EngineStats, type LinkRole, type Problem } from '../engine/port.js';
import { measurePace, startPace, timeRemainingS, type Pace } from './pace.js';

export type DownloadPhase =
  | 'idle'
  | 'opening'
  | 'checking'
  | 'searching'
  | 'downloading'
  | 'complete'
  | 'saving'
  | 'saved'
  | 'failed'
  | 'stopped';

/** A connected peer, for people. */
export interface LinkedPeer {
  readonly id: string;
  /** Its program; empty until it has said so. */
  readonly agent: string;
  readonly role: LinkRole;
  /** How many parts of the stream it pushes to this browser, and this browser to it; see `role` for a word. */
  readonly stripesDown: number;
  readonly stripesUp: number;
  /** How much of the whole it has, 0 to 1. */
  readonly held: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly downBytesPerS: number;
  readonly upBytesPerS: number;
  readonly roundTripMs: number | null;
}

/** A web server that has the content. */
export type WebServer = EngineSource;

/** Whether this browser gives too, and how much at most. */
export interface UploadSetting {
  readonly allowed: boolean;
  /** `null`: no limit. */
  readonly limitBytesPerS: number | null;
}

/** The tracker, as seen from here. */
export type TrackerState =
  | { readonly status: 'unknown' }
  | { readonly status: 'up' }
  /** `retryAtMs` is `null` if it refused for good. `wasUp`: it was reached before, in this attempt. */
  | { readonly status: 'down'; readonly wasUp: boolean; readonly reason: string; readonly retryAtMs: number | null };

/** Why nothing comes, once it lasts (`PATIENCE_MS`). */
export type Stall =
  /** Nobody else is here. */
  | 'alone'
  /** Others are here, but no connection to them came about. */
  | 'unreachable'
  /** The tracker, which would introduce others, can't be reached. */
  | 'no-tracker'
  /** There is no tracker, and the web server gives nothing. */
  | 'no-server'
  /** Somebody is connected, but has nothing of what is missing, or does not send it. */
  | 'starved';

/** How the last save ended. */
export type Saved = { readonly how: 'file' | 'download' | 'folder'; readonly fileName: string };

/** How saving one file of several stands, which goes on beside everything else. */
export type FileSave =
  | { readonly status: 'saving'; readonly savedBytes: number }
  | { readonly status: 'saved'; readonly how: Saved['how'] }
  | { readonly status: 'failed'; readonly reason: string };

export interface DownloadState {
  readonly phase: DownloadPhase;
  /** The link or URL as given. */
  readonly source: string;
  /** `null` until the manifest is there. */
  readonly content: ContentInfo | null;
  readonly haveBytes: number;
  /** 0 to 1. */
  readonly progress: number;
  readonly downBytesPerS: number;
  readonly upBytesPerS: number;
  /** Smoothed; `null` if nobody can tell. */
  readonly timeRemainingS: number | null;
  /** In the swarm, as the tracker told last, this one among them. */
  readonly swarmPeers: number;
  readonly swarmSeeders: number;
  /** What this browser is called in the swarm; empty until it is there. */
  readonly me: string;
  /** Connected. */
  readonly links: readonly LinkedPeer[];
  /** That have it, and may be asked for what nobody else brings. */
  readonly webServers: readonly WebServer[];
  readonly tracker: TrackerState;
  readonly online: boolean;
  /** It waits for a password: whether the last one was wrong, and whether one is being tried. */
  readonly locked: { readonly wrong: boolean; readonly trying: boolean } | null;
  /** Another tab has it open: it goes on here when that has let go. */
  readonly elsewhere: boolean;
  /** Why opening takes longer. */
  readonly waiting: { readonly reason: string; readonly retryAtMs: number | null } | null;
  readonly stall: Stall | null;
  /** Bytes that an earlier visit left. */
  readonly resumedBytes: number;
  /** Bytes given to others, in this and former attempts of this visit. */
  readonly uploadedBytes: number;
  readonly upload: UploadSetting;
  /** Whether the engine still runs, so that others can take from here. */
  readonly sharing: boolean;
  /** Peers that sent bad bytes; nothing of it was kept. */
  readonly liars: number;
  /** Nothing is kept over a reload. */
  readonly memoryOnly: boolean;
  /** This browser can't connect to others: all comes from web servers. */
  readonly webOnly: boolean;
  readonly problem: Problem | null;
  /** Why the last save failed; the download itself is fine. */
  readonly saveProblem: string | null;
  readonly savedBytes: number;
  readonly saved: Saved | null;
  /** Numbers of the descriptors that are all there, in the order in which they came. */
  readonly descriptors: readonly number[];
  /** How much is there of each file; `null` while that is unknown, and where there is only one. */
  readonly filesHeld: Float64Array | null;
  /** By the file's number. */
  readonly fileSaves: ReadonlyMap<number, FileSave>;
  /** Time of the last change or tick, by which countdowns are told. */
  readonly nowMs: number;
  /** For the rules of this file only. */
  readonly inner: {
    readonly pace: Pace | null;
    /** Since when nothing came, while something should. */
    readonly quietSinceMs: number | null;
    /** Given in former attempts. */
    readonly uploadedBeforeBytes: number;
  };
}

export type DownloadAction =
  | { readonly type: 'start'; readonly source: string; readonly nowMs: number }
  | { readonly type: 'stop'; readonly nowMs: number }
  | { readonly type: 'unlock' }
  | { readonly type: 'upload'; readonly upload: UploadSetting }
  | { readonly type: 'engine'; readonly event: EngineEvent; readonly nowMs: number }
  | { readonly type: 'tick'; readonly stats: EngineStats | null; readonly filesHeld: Float64Array | null; readonly nowMs: number }
  | { readonly type: 'saveStarted'; readonly nowMs: number }
  | { readonly type: 'saveProgress'; readonly savedBytes: number }
  | { readonly type: 'saveDone'; readonly saved: Saved }
  | { readonly type: 'saveCancelled' }
  | { readonly type: 'saveFailed'; readonly reason: string }
  /** `null`: given up. */
  | { readonly type: 'fileSave'; readonly file: number; readonly save: FileSave | null };

/** After so long without a byte, people are told why. */
export const PATIENCE_MS = 15_000;

export function initialState(upload: UploadSetting): DownloadState {
  return {
    phase: 'idle',
    source: '',
    content: null,
    haveBytes: 0,
    progress: 0,
    downBytesPerS: 0,
    upBytesPerS: 0,
    timeRemainingS: null,
    swarmPeers: 0,
    swarmSeeders: 0,
    me: '',
    links: [],
    webServers: [],
    tracker: { status: 'unknown' },
    online: true,
    locked: null,
    elsewhere: false,
    waiting: null,
    stall: null,
    resumedBytes: 0,
    uploadedBytes: 0,
    upload,
    sharing: false,
    liars: 0,
    memoryOnly: false,
    webOnly: false,
    problem: null,
    saveProblem: null,
    savedBytes: 0,
    saved: null,
    descriptors: [],
    filesHeld: null,
    fileSaves: new Map(),
    nowMs: 0,
    inner: { pace: null, quietSinceMs: null, uploadedBeforeBytes: 0 },
  };
}

/** Several files, of which each can be saved alone. */
export function isFolder(content: ContentInfo | null): boolean {
  return content !== null && content.files.length > 1;
}

/** Whether the bytes that are there can be read: the engine has its store open, and gets what is missing. */
export function canRead(phase: DownloadPhase): boolean {
  return phase === 'checking' || phase === 'searching' || phase === 'downloading' || isComplete(phase);
}

/** Most files that are saved one by one at the same time. */
export const FILE_SAVES_MAX = 8;

export function canSaveFile(state: DownloadState, file: number): boolean {
  if (!canRead(state.phase) || !state.content?.files[file]) return false;
  const saving = [...state.fileSaves.values()].filter(({ status }) => status === 'saving').length;
  return saving < FILE_SAVES_MAX && state.fileSaves.get(file)?.status !== 'saving';
}

/** Whether the engine is at work on getting the content. */
export function isBusy(phase: DownloadPhase): boolean {
  return phase === 'opening' || phase === 'checking' || phase === 'searching' || phase === 'downloading';
}

/** Whether everything is here and verified. */
export function isComplete(phase: DownloadPhase): boolean {
  return phase === 'complete' || phase === 'saving' || phase === 'saved';
}

export function canStart(phase: DownloadPhase): boolean {
  return phase === 'idle' || phase === 'failed' || phase === 'stopped';
}

export function canSave(phase: DownloadPhase): boolean {
  return phase === 'complete' || phase === 'saved';
}

export function reduce(state: DownloadState, action: DownloadAction): DownloadState {
  switch (action.type) {
    case 'start':
      return canStart(state.phase) ? start(state, action.source, action.nowMs) : state;
    case 'stop':
      return stop(state, action.nowMs);
    case 'unlock':
      return state.locked ? { ...state, locked: { wrong: false, trying: true } } : state;
    case 'upload':
      return { ...state, upload: action.upload };
    case 'engine':
      return hear(state, action.event, action.nowMs);
    case 'tick':
      return tick({ ...state, filesHeld: action.filesHeld ?? state.filesHeld }, action.stats, action.nowMs);
    case 'saveStarted':
      return canSave(state.phase) ? { ...state, phase: 'saving', savedBytes: 0, saveProblem: null, nowMs: action.nowMs } : state;
    case 'saveProgress':
      return state.phase === 'saving' ? { ...state, savedBytes: action.savedBytes } : state;
    case 'saveDone':
      return { ...state, phase: 'saved', saved: action.saved };
    case 'saveCancelled':
      return { ...state, phase: state.saved ? 'saved' : 'complete' };
    case 'saveFailed':
      return { ...state, phase: state.saved ? 'saved' : 'complete', saveProblem: action.reason };
    case 'fileSave':
      return { ...state, fileSaves: withSave(state.fileSaves, action.file, action.save) };
  }
}

function withSave(saves: DownloadState['fileSaves'], file: number, save: FileSave | null): DownloadState['fileSaves'] {
  const next = new Map(saves);
  if (save) next.set(file, save);
  else next.delete(file);
  return next;
}

/** A new attempt keeps what people know already, if it is of the same source, and forgets the rest. */
function start(state: DownloadState, source: string, nowMs: number): DownloadState {
  const fresh = initialState(state.upload);
  const same = source === state.source;
  return {
    ...fresh,
    phase: 'opening',
    source,
    content: same ? state.content : null,
    haveBytes: same ? state.haveBytes : 0,
    progress: same ? state.progress : 0,
    online: state.online,
    uploadedBytes: same ? state.uploadedBytes : 0,
    sharing: true,
    nowMs,
    inner: { ...fresh.inner, uploadedBeforeBytes: same ? state.uploadedBytes : 0 },
  };
}

function stop(state: DownloadState, nowMs: number): DownloadState {
  if (isComplete(state.phase)) return quiet({ ...state, nowMs });
  if (isBusy(state.phase)) return quiet({ ...state, phase: 'stopped', nowMs });
  return state;
}

/** Nothing moves any more. */
function quiet(state: DownloadState): DownloadState {
  return {
    ...state,
    sharing: false,
    links: [],
    webServers: state.webServers.map((server) => ({ ...server, state: 'idle', downBytesPerS: 0 })),
    downBytesPerS: 0,
    upBytesPerS: 0,
    timeRemainingS: null,
    locked: null,
    elsewhere: false,
    waiting: null,
    stall: null,
    tracker: { status: 'unknown' },
    inner: { ...state.inner, pace: null, quietSinceMs: null },
  };
}

function hear(state: DownloadState, event: EngineEvent, nowMs: number): DownloadState {
  switch (event.type) {
    case 'content':
      return { ...state, content: event.content, locked: null, waiting: null, nowMs };
    case 'locked':
      return { ...state, locked: { wrong: event.wrong, trying: false }, waiting: null, nowMs };
    case 'waiting':
      return { ...state, waiting: { reason: event.reason, retryAtMs: event.retryMs === null ? null : nowMs + event.retryMs }, nowMs };
    case 'elsewhere':
      return { ...state, elsewhere: true, waiting: null, nowMs };
    case 'memoryOnly':
      return { ...state, memoryOnly: true };
    case 'webOnly':
      return { ...state, webOnly: true };
    case 'resumed':
      return { ...state, resumedBytes: event.bytes };
    case 'descriptor':
      return state.descriptors.includes(event.index) ? state : { ...state, descriptors: [...state.descriptors, event.index] };
    case 'complete':
      return isBusy(state.phase) ? complete(state, nowMs) : state;
    case 'linkUp':
    case 'linkDown':
      // The next tick brings the links; asking for it at once is the store's part.
      return state;
    case 'peerLied':
      return { ...state, liars: state.liars + 1 };
    case 'trackerUp':
      return { ...state, tracker: { status: 'up' }, nowMs };
    case 'trackerDown': {
      const { reason, retryMs } = event;
      const wasUp = state.tracker.status === 'up' || (state.tracker.status === 'down' && state.tracker.wasUp);
      const retryAtMs = retryMs === null ? null : nowMs + retryMs;
      return { ...state, tracker: { status: 'down', wasUp, reason, retryAtMs }, nowMs };
    }
    case 'network':
      return { ...state, online: event.online };
    case 'failed':
      // Complete is complete: if passing it on fails later, the file is here all the same.
      return isComplete(state.phase) ? quiet(state) : quiet({ ...state, phase: 'failed', problem: event.problem, nowMs });
    case 'stopped':
      return isBusy(state.phase) ? quiet({ ...state, phase: 'stopped', nowMs }) : quiet(state);
  }
}

function complete(state: DownloadState, nowMs: number): DownloadState {
  const sizeBytes = state.content?.sizeBytes ?? state.haveBytes;
  return {
    ...state,
    phase: 'complete',
    haveBytes: sizeBytes,
    progress: 1,
    filesHeld: state.content && isFolder(state.content) ? Float64Array.from(state.content.files, ({ start, end }) => end - start) : null,
    downBytesPerS: 0,
    timeRemainingS: 0,
    stall: null,
    nowMs,
    inner: { ...state.inner, quietSinceMs: null },
  };
}

function tick(state: DownloadState, stats: EngineStats | null, nowMs: number): DownloadState {
  if (!stats || !state.sharing) return { ...state, nowMs };
  const next: DownloadState = {
    ...state,
    upBytesPerS: stats.upBytesPerS,
    uploadedBytes: state.inner.uploadedBeforeBytes + stats.sentBytes,
    swarmPeers: stats.swarmPeers,
    swarmSeeders: stats.swarmSeeders,
    webServers: stats.sources,
    me: stats.peer,
    links: stats.links.map((link) => ({
      id: link.peer,
      agent: link.agent,
      role: link.role,
      stripesDown: link.stripesDown,
      stripesUp: link.stripesUp,
      held: Math.min(1, link.packetsHeld / Math.max(1, Math.ceil(stats.sizeBytes / PACKET_BYTES))),
      receivedBytes: link.receivedBytes,
      sentBytes: link.sentBytes,
      downBytesPerS: link.downBytesPerS,
      upBytesPerS: link.upBytesPerS,
      roundTripMs: link.roundTripMs,
    })),
    nowMs,
  };
  return isBusy(state.phase) ? tickBusy(next, stats, nowMs) : next;
}

function tickBusy(state: DownloadState, stats: EngineStats, nowMs: number): DownloadState {
  // `complete` is an event, told when everything is written too; until then the last bytes are still coming.
  const phase = stats.phase === 'checking' || stats.phase === 'searching' ? stats.phase : 'downloading';
  const came = stats.haveBytes > state.haveBytes || phase === 'checking';
  const quietSinceMs = came ? nowMs : (state.inner.quietSinceMs ?? nowMs);
  // Checking reads the disk at a pace that says nothing of the network's.
  const pace =
    phase === 'checking'
      ? null
      : state.inner.pace
        ? measurePace(state.inner.pace, nowMs, stats.haveBytes)
        : startPace(nowMs, stats.haveBytes);
  const impatient = nowMs - quietSinceMs >= PATIENCE_MS;
  return {
    ...state,
    phase,
    haveBytes: stats.haveBytes,
    progress: stats.sizeBytes > 0 ? Math.min(1, stats.haveBytes / stats.sizeBytes) : 0,
    downBytesPerS: stats.downBytesPerS,
    timeRemainingS: pace && phase === 'downloading' ? timeRemainingS(pace, stats.sizeBytes) : null,
    elsewhere: false,
    waiting: null,
    stall: impatient ? stallOf(stats, state.tracker) : null,
    inner: { ...state.inner, pace, quietSinceMs },
  };
}

function stallOf(stats: EngineStats, tracker: TrackerState): Stall {
  if (stats.links.length > 0) return 'starved';
  if (tracker.status === 'unknown' && stats.sources.length > 0) return 'no-server';
  if (!stats.trackerUp) return 'no-tracker';
  return stats.swarmPeers > 1 ? 'unreachable' : 'alone';
}
