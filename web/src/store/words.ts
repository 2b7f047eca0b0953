/**
 * What a state means, in plain words: every text that the element shows or a screen reader speaks, as a pure function
 * of the state. The element only puts it in place.
 *
 * Rules: say what happens and what can be done about it; never blame; never spin without an end; technical reasons
 * come last and small.
 */

import type { ContentFile, ContentInfo, Problem } from '../engine/port.js';
import { openingOf, type Opening } from '../playing/media.js';
import { carriersOf, webServerLines, webTrouble, type PeerLine } from './carriers.js';
import { formatBytes, formatCount, formatDuration, formatPercent, formatSpeed, percent } from './format.js';
import { displayName } from './names.js';
import { canRead, canSave, isBusy, isComplete, isFolder, type DownloadState, type LinkedPeer, type Stall } from './state.js';

/** Something to tell beside the progress: a title, what to do, and the technical reason. */
export interface Notice {
  readonly tone: 'info' | 'warning' | 'error' | 'success';
  readonly title: string;
  readonly advice: string;
  readonly detail: string;
}

/** What the main button does; `null` if there is nothing to do now. */
export type MainAction = 'start' | 'save' | null;

export type { PeerLine } from './carriers.js';

export interface View {
  readonly name: string;
  /** `1.4 GB · Video`; empty while unknown. */
  readonly about: string;
  readonly kind: FileKind;
  /** What is going on, in a few words. */
  readonly headline: string;
  /** 0 to 1, or `null` while there is nothing to measure. */
  readonly progress: number | null;
  /** `42%`; empty while there is nothing to measure. */
  readonly percent: string;
  /** What a screen reader says of the progress. */
  readonly progressText: string;
  /** `3 min left`. */
  readonly timeLeft: string;
  /** `589 MB of 1.4 GB`, `5.2 MB/s`, `from 3 peers`. */
  readonly facts: readonly string[];
  readonly notices: readonly Notice[];
  readonly main: { readonly label: string; readonly action: MainAction; readonly hint: string };
  /** What the button says that opens the file; empty without one. Files of a folder have their own. */
  readonly play: string;
  /** Beside the main button: into a folder, file by file. */
  readonly canSaveFolder: boolean;
  readonly canStop: boolean;
  readonly peers: readonly PeerLine[];
  readonly peersTitle: string;
  readonly passingOn: string;
  readonly verified: string;
}

/** Kinds of files that have an icon of their own. */
export type FileKind = 'folder' | 'video' | 'audio' | 'image' | 'text' | 'archive' | 'program' | 'other';

const KINDS: readonly (readonly [FileKind, string, RegExp])[] = [
  ['video', 'Video', /^video\//u],
  ['audio', 'Audio', /^audio\//u],
  ['image', 'Image', /^image\//u],
  ['archive', 'Archive', /zip|tar|compressed|x-7z|x-rar|gzip|zstd|x-bzip|x-xz/u],
  ['program', 'Program', /x-msdownload|x-executable|x-apple-diskimage|debian|android\.package|x-iso9660|x-raw-disk/u],
  ['text', 'Document', /^text\/|pdf|document|msword|presentation|spreadsheet|epub|json/u],
];

export function kindOf(mediaType: string): { readonly kind: FileKind; readonly label: string } {
  const found = KINDS.find(([, , pattern]) => pattern.test(mediaType));
  return found ? { kind: found[0], label: found[1] } : { kind: 'other', label: 'File' };
}

const FOLDER = { kind: 'folder', label: 'Folder' } as const;

export function viewOf(state: DownloadState, nameGiven = ''): View {
  const { content } = state;
  const folder = isFolder(content);
  const kind = folder ? FOLDER : kindOf(content?.mediaType ?? '');
  const measurable = content !== null && (state.phase !== 'opening' || state.haveBytes > 0);
  const name = nameGiven || content?.name;
  return {
    name: name ? displayName(name) : 'Shared file',
    about: content ? about(content, folder ? formatCount(content.files.length, 'file', 'files') : kind.label) : '',
    kind: kind.kind,
    headline: headline(state),
    progress: measurable ? state.progress : null,
    percent: measurable ? formatPercent(state.progress) : '',
    progressText: progressText(state, measurable),
    timeLeft: timeLeft(state),
    facts: facts(state),
    notices: notices(state),
    main: mainButton(state),
    play: playLabel(state),
    canSaveFolder: folder && canSave(state.phase),
    canStop: isBusy(state.phase),
    peers: peerLines(state),
    peersTitle: peersTitle(state),
    passingOn: passingOn(state),
    verified: verified(state),
  };
}

/** `1.4 GB · Video`, of the files; `1.4 GB · Video · encrypted`. */
function about(content: ContentInfo, what: string): string {
  return [formatBytes(filesBytes(content)), what, ...(content.packed ? [content.packed] : [])].join(' · ');
}

/** Of the files; what is transported of packed content has another size. */
function filesBytes(content: ContentInfo): number {
  return content.files.at(-1)?.end ?? content.sizeBytes;
}

const OPEN_LABELS: Record<Opening, string> = { video: 'Play', audio: 'Play', image: 'Open', pdf: 'Open' };

/** What the button says that opens a file; empty if it can't be opened. */
export function openLabel(file: Pick<ContentFile, 'path' | 'mediaType'>): string {
  const opening = openingOf(file);
  return opening ? OPEN_LABELS[opening] : '';
}

function playLabel({ content, phase }: DownloadState): string {
  const [only] = content?.files ?? [];
  return only && !isFolder(content) && canRead(phase) ? openLabel(only) : '';
}

function headline(state: DownloadState): string {
  switch (state.phase) {
    case 'idle':
      return 'Ready to download';
    case 'opening':
      if (state.locked) return state.locked.trying ? 'Trying the password' : 'A password is needed';
      if (state.elsewhere) return 'Open in another tab';
      return state.waiting ? 'Waiting for the connection' : 'Opening the link';
    case 'checking':
      return 'Checking what you have already';
    case 'searching':
      if (!state.online) return 'Waiting for the connection';
      return state.stall ? STALLS[state.stall].headline : 'Looking for people who have it';
    case 'downloading':
      return state.stall ? STALLS[state.stall].headline : 'Downloading';
    case 'complete':
      return 'Complete';
    case 'saving':
      return 'Saving';
    case 'saved':
      return 'Saved';
    case 'failed':
      return state.content ? 'Interrupted' : 'This did not work';
    case 'stopped':
      return 'Stopped';
  }
}

function progressText(state: DownloadState, measurable: boolean): string {
  if (!measurable) return headline(state);
  const left = timeLeft(state);
  const of = state.content ? ` of ${formatBytes(state.content.sizeBytes)}` : '';
  return `${formatPercent(state.progress)}${of}, ${left || headline(state).toLowerCase()}`;
}

function timeLeft(state: DownloadState): string {
  if (state.phase !== 'downloading' || state.stall) return '';
  return state.timeRemainingS === null ? '' : `${formatDuration(state.timeRemainingS)} left`;
}

function facts(state: DownloadState): string[] {
  const { content } = state;
  if (!content) return [];
  const size = formatBytes(content.sizeBytes);
  const have = `${formatBytes(state.haveBytes)} of ${size}`;
  const peers = state.links.length;
  switch (state.phase) {
    case 'idle':
    case 'opening':
      return state.haveBytes > 0 ? [have] : [];
    case 'checking':
      return [`${have} found and verified`];
    case 'searching':
      return peers > 0 ? [have, `connected with ${formatCount(peers, 'peer', 'peers')}`] : [have];
    case 'downloading': {
      const carriers = carriersOf(state);
      return [have, formatSpeed(state.downBytesPerS), ...(carriers ? [`from ${carriers}`] : [])];
    }
    case 'saving':
      return [`${formatBytes(state.savedBytes)} of ${formatBytes(filesBytes(content))} written`];
    case 'complete':
    case 'saved':
      return ['every byte verified'];
    case 'failed':
    case 'stopped':
      return state.haveBytes > 0 ? [`${have} verified`] : [];
  }
}

const STALLS: Record<Stall, { readonly headline: string; readonly title: string; readonly advice: string }> = {
  alone: {
    headline: 'Nobody here yet',
    title: 'Nobody who has this file is reachable right now.',
    advice:
      'The file comes straight from people who have it, so one of them must be online. Ask whoever sent you the link to keep their program or page open. This page goes on looking and starts by itself.',
  },
  unreachable: {
    headline: 'No connection yet',
    title: 'Nobody who has this file is reachable right now.',
    advice:
      'Others are there, but no connection to them comes about. A firewall, a VPN or a company network may be in the way: another network, such as a phone’s hotspot, often helps. This page goes on trying.',
  },
  'no-tracker': {
    headline: 'No contact with the tracker',
    title: 'The tracker, which introduces you to others, does not answer.',
    advice: 'Check whether other sites open. If they do, the tracker itself may be down for a while. This page goes on trying.',
  },
  'no-server': {
    headline: 'Waiting for the web server',
    title: 'The web server that has this file does not give it right now.',
    advice: 'Check whether other sites open. If they do, the server itself may be down for a while. This page goes on trying.',
  },
  starved: {
    headline: 'Waiting for more',
    title: 'Connected, but nothing has come for a while.',
    advice: 'Those who are connected may be slow, or wait for the missing part themselves. Keep this page open: it goes on as soon as somebody has more.',
  },
};

const ELSEWHERE = 'This file is open in another tab already.';
const TRACKER_SILENT = 'The tracker can’t be reached.';

function notices(state: DownloadState): Notice[] {
  const list: Notice[] = [];
  const add = (tone: Notice['tone'], title: string, advice = '', detail = ''): void => {
    list.push({ tone, title, advice, detail });
  };
  const busy = isBusy(state.phase);

  if (state.phase === 'failed' && state.problem) {
    list.push(describeProblem(state.problem));
  }
  if (state.phase === 'saved' && state.saved) {
    const name = displayName(state.saved.fileName);
    if (state.saved.how === 'folder') add('success', `Saved into “${name}”.`, 'It is a new folder in the one that you chose.');
    else if (state.saved.how === 'file') add('success', `Saved as “${name}”.`, 'It is in the folder that you chose.');
    else add('success', `“${name}” went to your downloads.`, 'Your browser’s list of downloads shows where it is.');
  }
  if (state.saveProblem !== null) {
    add('error', 'The file could not be written.', 'It is complete and safe here: make some room, or choose another folder, and save again.', state.saveProblem);
  }
  if (state.phase === 'stopped') {
    add('info', 'You stopped this download.', state.haveBytes > 0 ? 'What is here stays. It goes on where it was.' : '');
  }
  if (busy && state.elsewhere) {
    add('info', ELSEWHERE, 'Both would write the same bytes, so this one waits. It goes on by itself when the other has all of it, or is closed.');
  } else if (busy && !state.online) {
    add('warning', 'You are offline.', 'The download goes on by itself when the connection is back.');
  } else if (busy && state.waiting) {
    add('warning', TRACKER_SILENT, `${again(state.waiting.retryAtMs, state.nowMs)}.`, state.waiting.reason);
  } else if (busy && state.stall) {
    const reasons = [state.tracker.status === 'down' ? state.tracker.reason : '', webTrouble(state.webServers)];
    add('warning', STALLS[state.stall].title, STALLS[state.stall].advice, reasons.filter((reason) => reason !== '').join('; '));
  } else if (state.tracker.status === 'down' && busy) {
    const { retryAtMs, reason, wasUp } = state.tracker;
    const fromWeb = state.webServers.some(({ state: doing }) => doing === 'fetching');
    const connected = state.links.length > 0 || fromWeb;
    const goesOn = fromWeb ? 'Your download goes on from the web server.' : connected ? 'Your download goes on with those who are connected.' : '';
    if (retryAtMs === null) add('warning', 'The tracker sent us away.', goesOn, reason);
    else {
      const trying = `${connected ? 'Your download goes on; ' : ''}${again(retryAtMs, state.nowMs, !connected)}.`;
      add('warning', wasUp ? 'Lost contact with the tracker.' : TRACKER_SILENT, trying, reason);
    }
  }
  const unfit = state.webServers.filter((server) => server.state === 'unfit');
  if (busy && !state.stall && unfit.length > 0) {
    add('info', 'The web server is of no use here.', state.webOnly ? '' : 'The file comes from people who have it.', webTrouble(unfit));
  }
  if (busy && state.resumedBytes > 0 && state.content && state.content.sizeBytes > 0) {
    const share = state.resumedBytes / state.content.sizeBytes;
    add('info', percent(share) > 0 ? `Went on from ${formatPercent(share)}.` : 'Went on where it was.', 'What your last visit left here was checked and kept.');
  }
  if (state.memoryOnly && (busy || isComplete(state.phase)) && state.phase !== 'saved') {
    add('info', 'This browser keeps the file in memory.', 'Keep the page open until you have saved it: a reload starts again.');
  }
  if (state.webOnly && busy) {
    add('info', 'This browser can’t connect to others.', 'Everything comes from the web server. WebRTC is missing or switched off, perhaps by a privacy setting or an extension.');
  }
  if (state.liars > 0 && busy) {
    add('info', `${formatCount(state.liars, 'peer', 'peers')} sent damaged bytes.`, 'Nothing of it was kept. The rest comes from others.');
  }
  return list;
}

function again(retryAtMs: number | null, nowMs: number, sentence = true): string {
  const trying = sentence ? 'Trying' : 'trying';
  if (retryAtMs === null) return `${trying} again when the connection is back`;
  const seconds = Math.ceil((retryAtMs - nowMs) / 1000);
  return seconds > 0 ? `${trying} again in ${seconds} s` : `${trying} again now`;
}

/** Each problem: what it means, and what to do. */
export function describeProblem({ kind, detail }: Problem): Notice {
  const [title, advice] = PROBLEMS[kind];
  return { tone: 'error', title, advice, detail };
}

const PROBLEMS: Record<Problem['kind'], readonly [title: string, advice: string]> = {
  link: ['This link is incomplete.', 'A part of it may have been lost on the way. Copy it again, whole, from where you found it.'],
  'not-found': ['Nobody is sharing this any more, or the link is incomplete.', 'Ask whoever sent it to share the file again, or to send the whole link.'],
  server: ['The tracker has a problem of its own.', 'It is nothing that you did. Try again in a few minutes.'],
  refused: ['The tracker refused this download.', 'It may be full or closed for this file. Try again later, or ask whoever sent the link.'],
  manifest: ['The description of this file can’t be read.', 'It may be from a newer version of Pleach. Reload the page; if that does not help, ask for a new link.'],
  key: ['This link opens nothing: its key is missing or wrong.', 'What is shared is encrypted, and the end of the link is the key. Copy the link again, whole, from where you found it.'],
  digest: ['This is not the file that the link promises.', 'Somebody changed its description, so nothing was downloaded. Ask whoever sent the link for a new one.'],
  'not-yet': ['This is not to be had yet.', 'Whoever shares it has set a time from which on it is. Try again then.'],
  over: ['The time of this is over.', 'Whoever shared it has set how long it is to be had. What you saved before stays yours.'],
  'no-webrtc': ['This browser can’t connect to others.', 'WebRTC is missing or switched off, perhaps by a privacy setting or an extension, and no web server has this. Allow it for this page, or open the link in another browser.'],
  'no-wasm': ['This browser can’t run Pleach.', 'It needs WebAssembly, which is missing or switched off. A current Chrome, Edge, Firefox or Safari has it.'],
  'storage-full': ['There is not enough room on this device.', 'Free some space, or delete some of what this site keeps; then try again: it goes on where it was. In a private window there is less room than in an ordinary one.'],
  'too-large': ['This window can’t keep a file of this size.', 'Private windows, and pages that did not come by https, have no room for large files. Open the link in an ordinary window, or by https.'],
  storage: ['The browser could not store the file.', 'Try again; what is here already stays. In a private window, use an ordinary one.'],
  changed: ['The file was changed while it was shared.', 'Ask whoever sent the link to share it again.'],
  engine: ['Something broke in this page.', 'Reload it: what is here already stays. If it happens again, please report it with the words below.'],
};

function mainButton(state: DownloadState): View['main'] {
  const folder = isFolder(state.content);
  const save = folder ? 'Save all as ZIP' : 'Save file';
  switch (state.phase) {
    case 'idle':
      return { label: 'Download', action: 'start', hint: '' };
    case 'failed':
      return { label: 'Try again', action: 'start', hint: '' };
    case 'stopped':
      return { label: state.haveBytes > 0 ? 'Go on' : 'Start again', action: 'start', hint: '' };
    case 'complete':
      return { label: save, action: 'save', hint: '' };
    case 'saving':
      return { label: 'Saving…', action: null, hint: '' };
    case 'saved':
      return { label: folder ? save : 'Save again', action: 'save', hint: '' };
    default:
      return { label: save, action: null, hint: folder ? SAVE_FOLDER_LATER : SAVE_LATER };
  }
}

const SAVE_LATER = 'Can be saved once every byte is verified.';
const SAVE_FOLDER_LATER = 'Single files can be saved now: what you choose comes first. All of them, once every byte is verified.';

const ROLES: Record<LinkedPeer['role'], string> = {
  parent: 'brings you a part',
  child: 'takes a part from you',
  lateral: 'fills gaps with you',
};

function peersTitle({ phase, links }: DownloadState): string {
  if (!isComplete(phase)) return 'Who carries it';
  return links.length > 0 ? 'You are connected with' : 'Who carried it';
}

function peerLines({ links, webServers }: DownloadState): PeerLine[] {
  const totalBytes = [...links, ...webServers].reduce((sum, carrier) => sum + carrier.receivedBytes, 0);
  const peers = [...links]
    .sort((a, b) => b.receivedBytes - a.receivedBytes || b.sentBytes - a.sentBytes || a.id.localeCompare(b.id))
    .map((link) => ({
      id: link.id,
      program: programName(link.agent),
      role: ROLES[link.role],
      share: totalBytes > 0 ? link.receivedBytes / totalBytes : 0,
      brought: link.receivedBytes > 0 ? `brought ${formatBytes(link.receivedBytes)}` : '',
      given: link.sentBytes > 0 ? `got ${formatBytes(link.sentBytes)} from you` : '',
      speed: link.downBytesPerS > 0 ? formatSpeed(link.downBytesPerS) : link.upBytesPerS > 0 ? `${formatSpeed(link.upBytesPerS)} up` : '',
    }));
  return [...webServerLines(webServers, totalBytes), ...peers];
}

/** `pleach/0.1.0` reads `Pleach 0.1.0`; others as they are. A stranger wrote it: no marks, not too long. */
export function programName(agent: string): string {
  if (agent.trim() === '') return 'Just arrived';
  const plain = displayName(agent.slice(0, 64));
  return plain.replace(/^pleach\//iu, 'Pleach ');
}

function passingOn(state: DownloadState): string {
  const sent = `${formatBytes(state.uploadedBytes)} sent`;
  // There is nobody to pass anything to.
  if (state.webOnly || state.elsewhere) return '';
  if (!state.upload.allowed) return state.uploadedBytes > 0 ? `You pass nothing on now: ${sent} before.` : 'You pass nothing on.';
  if (!state.sharing) return state.uploadedBytes > 0 ? `You passed it on: ${sent}.` : '';
  const speed = state.upBytesPerS > 0 ? ` · ${formatSpeed(state.upBytesPerS)}` : '';
  const limit = state.upload.limitBytesPerS === null ? '' : ` (at most ${formatSpeed(state.upload.limitBytesPerS)})`;
  return `You also pass it on: ${sent}${speed}${limit}`;
}

function verified(state: DownloadState): string {
  return isComplete(state.phase)
    ? 'Every byte was verified with BLAKE3: this is exactly what was shared.'
    : 'Every byte is verified with BLAKE3 before it is kept or passed on.';
}

/** What a screen reader is told when `state` follows `before`; `null` for nothing. */
export function announcement(before: DownloadState, state: DownloadState, view: View): string | null {
  if (state.phase === 'failed' && before.phase !== 'failed') {
    return view.notices.filter((notice) => notice.tone === 'error').map((notice) => `${notice.title} ${notice.advice}`).join(' ');
  }
  if (state.saveProblem !== null && before.saveProblem === null) return 'The file could not be written.';
  if (isComplete(state.phase) && !isComplete(before.phase)) return `${view.name} is complete and verified. You can save it now.`;
  if (state.phase === 'saved' && before.phase !== 'saved') return view.notices[0]?.title ?? 'Saved.';
  if (state.phase === 'stopped' && before.phase !== 'stopped') return 'Download stopped.';
  if (state.content && !before.content) return `${view.name}, ${view.about}.`;
  if (state.elsewhere && !before.elsewhere) return ELSEWHERE;
  if (state.stall && !before.stall) return STALLS[state.stall].title;
  if (!state.online && before.online) return 'You are offline.';
  if (state.tracker.status === 'down' && before.tracker.status === 'up' && isBusy(state.phase)) {
    return `Lost contact with the tracker.${state.links.length > 0 ? ' Your download goes on.' : ''}`;
  }
  if (state.tracker.status === 'up' && before.tracker.status === 'down') return 'The tracker is back.';
  if (state.phase === 'downloading') {
    if (before.phase !== 'downloading') return `Downloading from ${carriersOf(state) || 'those who have it'}.`;
    const quarter = Math.floor(percent(state.progress) / 25);
    if (quarter > Math.floor(percent(before.progress) / 25)) return view.progressText;
  }
  return null;
}
