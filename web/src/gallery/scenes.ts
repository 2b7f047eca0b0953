/**
 * Every state that a person may meet, as what an engine says in turn. The gallery plays them on a clock of its own, so
 * that a scene which takes 15 seconds is there at once and looks the same each time.
 */

import type { EngineLink } from '../engine/port.js';
import type { KeptContent } from '../storage/kept.js';
import { FAKE_CONTENT, fakeFolder, fakeLink, type FakeEngine } from '../testing/fake-engine.js';
import { fakeForest, fakePeerId } from '../testing/fake-forest.js';

/** What a scene can do. `pass` lets time go by: the numbers are refreshed as in life. */
export interface Stage {
  readonly engine: FakeEngine;
  pass(ms: number): void;
  press(): void;
  /** Opens "Who feeds whom". */
  openPicture(): void;
  /** Presses a button by what it is called for who hears it. */
  pressNamed(name: string): void;
  /** Looks for files by a name. */
  search(text: string): void;
  /** Waits for what is loaded when it is needed. */
  loaded(selector: string): Promise<void>;
  /** Lets promises settle. */
  settle(): Promise<void>;
}

export interface Scene {
  readonly title: string;
  /** Waits for the press of the button. */
  readonly manual?: true;
  /** Shown by `<pleach-video>`. */
  readonly video?: true;
  readonly upload?: string;
  play(stage: Stage): void | Promise<void>;
}

/** A list of what is kept. */
export interface KeptScene {
  readonly title: string;
  /** `null`: the browser keeps nothing. */
  readonly kept: readonly KeptContent[] | null;
  /** All is about to be deleted. */
  readonly asking?: true;
}

const MB = 1_000_000;
const SIZE = FAKE_CONTENT.sizeBytes;

const LINKS: readonly EngineLink[] = [
  fakeLink({ link: 1, agent: 'pleach/0.1.0', role: 'parent', receivedBytes: 298 * MB, downBytesPerS: 2.9 * MB, roundTripMs: 24 }),
  fakeLink({ link: 2, agent: 'Firefox 153', role: 'parent', receivedBytes: 204 * MB, sentBytes: 41 * MB, downBytesPerS: 1.7 * MB, roundTripMs: 61 }),
  fakeLink({ link: 3, agent: 'Chrome 156', role: 'lateral', receivedBytes: 93 * MB, downBytesPerS: 0.8 * MB, roundTripMs: 48 }),
  fakeLink({ link: 4, agent: 'Safari 26', role: 'child', sentBytes: 87 * MB, upBytesPerS: 1.1 * MB, roundTripMs: 90 }),
];

function begin({ engine }: Stage): void {
  engine.say({ type: 'content', content: FAKE_CONTENT });
  engine.say({ type: 'trackerUp' });
}

/** Brings it to `share` of the whole at a steady speed. */
function download(stage: Stage, from: number, share: number, links: readonly EngineLink[], sentBytes = 128 * MB): void {
  const downBytesPerS = links.reduce((sum, link) => sum + link.downBytesPerS, 0);
  const upBytesPerS = links.reduce((sum, link) => sum + link.upBytesPerS, 0);
  const steps = 12;
  for (let step = 0; step <= steps; step += 1) {
    const haveBytes = Math.max(from * SIZE, share * SIZE - ((steps - step) * downBytesPerS) / 2);
    stage.engine.count({ phase: 'downloading', haveBytes, downBytesPerS, upBytesPerS, sentBytes, links, swarmPeers: 7, swarmSeeders: 2 });
    stage.pass(500);
  }
}

/** From a web server, with nobody else there. */
function fetching(stage: Stage): void {
  for (let step = 1; step <= 8; step += 1) {
    const receivedBytes = step * 40 * MB;
    const sources = [{ url: 'https://site.example/film.mp4', state: 'fetching', receivedBytes, downBytesPerS: 9.6 * MB, trouble: null }] as const;
    stage.engine.count({ phase: 'downloading', haveBytes: receivedBytes, downBytesPerS: 9.6 * MB, trackerUp: false, swarmPeers: 0, sources });
    stage.pass(500);
  }
}

function finish(stage: Stage): void {
  begin(stage);
  download(stage, 0, 1, LINKS, 412 * MB);
  stage.engine.count({ phase: 'seeding', haveBytes: SIZE, downBytesPerS: 0, links: LINKS.slice(1).map((link) => ({ ...link, downBytesPerS: 0 })) });
  stage.engine.say({ type: 'complete' });
}

function fail(kind: Parameters<typeof failed>[0], detail: string): (stage: Stage) => void {
  return ({ engine }) => engine.say(failed(kind, detail));
}

function failed(kind: import('../engine/port.js').ProblemKind, detail: string) {
  return { type: 'failed', problem: { kind, detail } } as const;
}

/** "Who feeds whom", opened: this browser is peer 2 of what the tracker shows, its neighbours are as given. */
async function picture(stage: Stage, share: number, forest: unknown, links: readonly EngineLink[]): Promise<void> {
  stage.engine.picture = forest;
  begin(stage);
  stage.engine.count({ peer: fakePeerId(2) });
  if (links.length === 0) stage.engine.count({ phase: 'searching' });
  else if (share < 1) download(stage, 0, share, links);
  else {
    stage.engine.count({ phase: 'seeding', haveBytes: SIZE, links });
    stage.engine.say({ type: 'complete' });
  }
  stage.openPicture();
  await stage.settle();
  stage.pass(2_000);
  await stage.settle();
}

/** A link to the peer of that number in the tracker's picture. */
function linkTo(number: number, link: Partial<EngineLink> = {}): EngineLink {
  const packets = Math.ceil(SIZE / 65_536);
  const agent = number === 0 ? 'pleach/0.1.0' : number % 3 === 0 ? 'Firefox 153' : 'Chrome 156';
  return fakeLink({ link: number, peer: fakePeerId(number), agent, packetsHeld: Math.floor(packets * (number === 0 ? 1 : 0.3 + (number % 7) / 12)), ...link });
}

const FEW_LINKS: readonly EngineLink[] = [
  linkTo(0, { role: 'parent', stripesDown: 3, receivedBytes: 298 * MB, downBytesPerS: 2.9 * MB }),
  linkTo(1, { role: 'parent', stripesDown: 5, stripesUp: 3, receivedBytes: 204 * MB, sentBytes: 88 * MB, downBytesPerS: 1.7 * MB, upBytesPerS: 0.64 * MB }),
  linkTo(3, { role: 'child', stripesUp: 4, sentBytes: 131 * MB, upBytesPerS: 1.1 * MB }),
];

const MANY_LINKS: readonly EngineLink[] = [
  linkTo(0, { role: 'parent', stripesDown: 1, receivedBytes: 98 * MB, downBytesPerS: 0.41 * MB }),
  ...[5, 9, 13].map((number) => linkTo(number, { role: 'parent', stripesDown: 2, receivedBytes: number * 7 * MB, downBytesPerS: number * 0.05 * MB })),
  linkTo(17, { role: 'parent', stripesDown: 1, stripesUp: 1, receivedBytes: 41 * MB, sentBytes: 12 * MB, downBytesPerS: 0.33 * MB, upBytesPerS: 0.35 * MB }),
  ...[10, 18, 26, 34].map((number) => linkTo(number, { role: 'child', stripesUp: 1, sentBytes: 52 * MB, upBytesPerS: 0.4 * MB })),
  ...[21, 30].map((number) => linkTo(number, { role: 'lateral', receivedBytes: 9 * MB })),
  linkTo(36, { role: 'lateral', receivedBytes: 14 * MB, downBytesPerS: 0.12 * MB }),
];

const CROWD_LINKS: readonly EngineLink[] = [
  ...[5, 13, 21, 29, 43, 60, 77].map((number) => linkTo(number, { role: 'parent', stripesDown: 1, receivedBytes: number * 2 * MB, downBytesPerS: number * 0.01 * MB })),
  ...[66, 74, 82, 90, 98, 106, 114, 122].map((number) => linkTo(number, { role: 'child', stripesUp: 1, sentBytes: 52 * MB, upBytesPerS: 0.24 * MB })),
  ...[131, 150, 160, 171].map((number) => linkTo(number, { role: 'lateral' })),
];

/** A film with subtitles, pictures and a stranger's own names. */
const FOLDER = fakeFolder('Garden films', [
  ['Much Hadham.mp4', 612 * MB, 'video/mp4'],
  ['Much Hadham.en.vtt', 48_000, 'text/vtt'],
  ['Read me first.pdf', 1.2 * MB, 'application/pdf'],
  ['photos/10 the arch.jpg', 4.1 * MB, 'image/jpeg'],
  ['photos/2 planting.jpg', 3.8 * MB, 'image/jpeg'],
  ['photos/خريطة الحديقة.png', 2.2 * MB, 'image/png'],
  ['sound/hedge in the wind.flac', 84 * MB, 'audio/flac'],
  ['sound/notes.html', 12_000, 'text/html'],
]);

/** How much is there of each file, 0 to 1. */
function folder(stage: Stage, content: import('../engine/port.js').ContentInfo, shares: (at: number) => number): void {
  const { engine } = stage;
  engine.say({ type: 'content', content });
  engine.say({ type: 'trackerUp' });
  engine.held = Float64Array.from(content.files, ({ start, end }, at) => Math.floor((end - start) * shares(at)));
  const haveBytes = engine.held.reduce((sum, bytes) => sum + bytes, 0);
  engine.count({ phase: 'downloading', sizeBytes: content.sizeBytes, haveBytes, downBytesPerS: 5.4 * MB, upBytesPerS: 1.1 * MB, sentBytes: 21 * MB, links: LINKS, swarmPeers: 7, swarmSeeders: 2 });
  stage.pass(500);
}

const FOLDER_SHARES = [0.31, 1, 1, 0.6, 1, 0, 0, 0];

async function folderComplete(stage: Stage): Promise<void> {
  folder(stage, FOLDER, () => 1);
  stage.engine.say({ type: 'complete' });
  await stage.loaded('.file');
}

const MANY_FILES = fakeFolder('Camera, all years', Array.from({ length: 10_000 }, (_, at) => [`${2016 + Math.floor(at / 1_000)}/IMG_${at}.jpg`, (3 + (at % 5)) * MB, 'image/jpeg'] as const));

/** Something that a browser can show: one picture, drawn here. */
async function drawn(): Promise<Blob> {
  const canvas = new OffscreenCanvas(960, 540);
  const pen = canvas.getContext('2d');
  if (pen) {
    const ground = pen.createLinearGradient(0, 0, 0, 540);
    ground.addColorStop(0, '#bcd8cf');
    ground.addColorStop(1, '#2b6a45');
    pen.fillStyle = ground;
    pen.fillRect(0, 0, 960, 540);
    pen.strokeStyle = '#f3f0e6';
    pen.lineWidth = 22;
    for (const x of [180, 480, 780]) {
      pen.beginPath();
      pen.arc(x, 400, 150, Math.PI, 0);
      pen.stroke();
    }
  }
  return canvas.convertToBlob({ type: 'image/png' });
}

export const SCENES: Record<string, Scene> = {
  idle: { title: 'Not started', manual: true, play: () => {} },
  opening: { title: 'Opening', play: () => {} },
  'opening-unreachable': {
    title: 'Opening, the tracker does not answer',
    play: ({ engine }) => engine.say({ type: 'waiting', reason: 'no answer from pleach.example', retryMs: 4_000 }),
  },
  locked: {
    title: 'A password is needed',
    play: async ({ engine, loaded }) => {
      engine.say({ type: 'locked', wrong: false });
      await loaded('.unlock-form');
    },
  },
  'locked-wrong': {
    title: 'The password was wrong',
    play: async ({ engine, loaded }) => {
      engine.say({ type: 'locked', wrong: true });
      await loaded('.unlock-form');
    },
  },
  elsewhere: {
    title: 'Open in another tab',
    play: ({ engine }) => {
      engine.say({ type: 'content', content: FAKE_CONTENT });
      engine.say({ type: 'elsewhere' });
    },
  },
  'problem-key': {
    title: 'The link has no key',
    play: ({ engine }) => engine.say({ type: 'failed', problem: { kind: 'key', detail: 'the content is encrypted, and the link has no key: was it copied whole?' } }),
  },
  checking: {
    title: 'Checking what an earlier visit left',
    play: (stage) => {
      begin(stage);
      stage.engine.count({ phase: 'checking', haveBytes: 0.31 * SIZE });
      stage.pass(500);
    },
  },
  searching: {
    title: 'Searching',
    play: (stage) => {
      begin(stage);
      stage.engine.count({ phase: 'searching' });
      stage.pass(2_000);
    },
  },
  alone: {
    title: 'Nobody is there',
    play: (stage) => {
      begin(stage);
      stage.engine.count({ phase: 'searching' });
      stage.pass(16_000);
    },
  },
  'from-the-web': {
    title: 'From the web server, with nobody else there',
    play: (stage) => {
      stage.engine.say({ type: 'content', content: FAKE_CONTENT });
      fetching(stage);
    },
  },
  'no-server': {
    title: 'The web server gives nothing, and there is no tracker',
    play: (stage) => {
      stage.engine.say({ type: 'content', content: FAKE_CONTENT });
      const sources = [{ url: 'https://site.example/film.mp4', state: 'resting', receivedBytes: 0, downBytesPerS: 0, trouble: 'it answers 503' }] as const;
      stage.engine.count({ phase: 'searching', trackerUp: false, swarmPeers: 0, sources });
      stage.pass(16_000);
    },
  },
  unreachable: {
    title: 'Others are there, but no connection',
    play: (stage) => {
      begin(stage);
      stage.engine.count({ phase: 'searching', swarmPeers: 3, swarmSeeders: 1 });
      stage.pass(16_000);
    },
  },
  downloading: {
    title: 'Downloading',
    play: (stage) => {
      begin(stage);
      download(stage, 0, 0.42, LINKS);
    },
  },
  'downloading-slow': {
    title: 'Downloading slowly, upload off',
    upload: 'off',
    play: (stage) => {
      begin(stage);
      download(stage, 0, 0.067, [fakeLink({ link: 1, agent: 'pleach/0.1.0', role: 'parent', receivedBytes: 95 * MB, downBytesPerS: 61_000 })], 0);
    },
  },
  'downloading-crowd': {
    title: 'Many peers, a long name in another script, memory only',
    play: (stage) => {
      const { engine } = stage;
      engine.say({
        type: 'content',
        content: { ...FAKE_CONTENT, name: 'تسجيل_الاجتماع_السنوي_لجمعية_البستانيين_الجزء_الثالث_النسخة_النهائية_المصححة_2025.tar.gz', mediaType: 'application/gzip' },
      });
      engine.say({ type: 'trackerUp' });
      engine.say({ type: 'memoryOnly' });
      engine.say({ type: 'peerLied', peer: '5' });
      const crowd = Array.from({ length: 11 }, (_, index) =>
        fakeLink({ link: index + 1, agent: index % 3 === 0 ? `Firefox ${150 + index}` : `Chrome ${140 + index}`, role: index % 2 ? 'parent' : 'lateral', receivedBytes: (11 - index) ** 2 * 3 * MB, downBytesPerS: (11 - index) * 0.4 * MB }),
      );
      download(stage, 0, 0.73, crowd);
    },
  },
  resumed: {
    title: 'Went on after a reload',
    play: (stage) => {
      begin(stage);
      stage.engine.say({ type: 'resumed', bytes: 0.6 * SIZE });
      download(stage, 0.6, 0.64, LINKS.slice(0, 2), 3 * MB);
    },
  },
  'tracker-lost': {
    title: 'Lost the tracker',
    play: (stage) => {
      begin(stage);
      download(stage, 0, 0.55, LINKS);
      stage.engine.say({ type: 'trackerDown', reason: 'the connection was closed', retryMs: 4_000 });
    },
  },
  offline: {
    title: 'Offline',
    play: (stage) => {
      begin(stage);
      download(stage, 0, 0.38, LINKS);
      stage.engine.say({ type: 'network', online: false });
      stage.engine.count({ phase: 'searching', links: [], downBytesPerS: 0, upBytesPerS: 0 });
      stage.pass(500);
    },
  },
  starved: {
    title: 'Connected, but nothing comes',
    play: (stage) => {
      begin(stage);
      download(stage, 0, 0.81, LINKS);
      stage.engine.count({ phase: 'searching', downBytesPerS: 0, upBytesPerS: 0, links: LINKS.slice(2, 3).map((link) => ({ ...link, downBytesPerS: 0 })) });
      stage.pass(16_000);
    },
  },
  complete: { title: 'Complete', play: finish },
  saving: {
    title: 'Saving',
    play: (stage) => {
      finish(stage);
      stage.engine.onSave = ({ onProgress }) => {
        queueMicrotask(() => onProgress(611 * MB));
        return new Promise(() => {});
      };
      stage.press();
      return stage.settle();
    },
  },
  saved: {
    title: 'Saved',
    play: (stage) => {
      finish(stage);
      stage.engine.onSave = async ({ fileName }) => ({ how: 'file', fileName });
      stage.press();
      return stage.settle();
    },
  },
  'save-failed': {
    title: 'The save failed',
    play: (stage) => {
      finish(stage);
      stage.engine.onSave = () => Promise.reject(new Error('QuotaExceededError: no space left on device'));
      stage.press();
      return stage.settle();
    },
  },
  stopped: {
    title: 'Stopped by the person',
    play: (stage) => {
      begin(stage);
      download(stage, 0, 0.42, LINKS);
      stage.engine.say({ type: 'stopped' });
    },
  },
  folder: {
    title: 'A folder, on its way',
    play: async (stage) => {
      folder(stage, FOLDER, (at) => FOLDER_SHARES[at] ?? 0);
      await stage.loaded('.file');
    },
  },
  'folder-saving': {
    title: 'A folder, files of it being saved',
    play: async (stage) => {
      folder(stage, FOLDER, (at) => FOLDER_SHARES[at] ?? 0);
      await stage.loaded('.file');
      stage.engine.onSave = ({ onProgress }) => {
        queueMicrotask(() => onProgress(120 * MB));
        return new Promise(() => {});
      };
      stage.pressNamed('Save Much Hadham.mp4');
      stage.engine.onSave = async ({ fileName }) => ({ how: 'file', fileName });
      stage.pressNamed('Save Read me first.pdf');
      stage.engine.onSave = () => Promise.reject(new Error('no space left on device'));
      stage.pressNamed('Save 2 planting.jpg');
      stage.engine.onSave = () => new Promise(() => {});
      stage.pressNamed('Save hedge in the wind.flac');
      await stage.settle();
    },
  },
  'folder-complete': { title: 'A folder, complete', play: folderComplete },
  'folder-saved': {
    title: 'A folder, saved into one',
    play: async (stage) => {
      await folderComplete(stage);
      stage.engine.onSave = async ({ fileName }) => ({ how: 'folder', fileName });
      stage.press();
      await stage.settle();
    },
  },
  'folder-10000': {
    title: 'Ten thousand files',
    play: async (stage) => {
      folder(stage, MANY_FILES, (at) => (at % 3 === 0 ? 1 : (at % 7) / 9));
      await stage.loaded('.file');
    },
  },
  'folder-search': {
    title: 'Ten thousand files, searched',
    play: async (stage) => {
      folder(stage, MANY_FILES, (at) => (at % 3 === 0 ? 1 : (at % 7) / 9));
      await stage.loaded('.file');
      stage.search('IMG_99');
    },
  },
  'folder-search-none': {
    title: 'Ten thousand files, none found',
    play: async (stage) => {
      folder(stage, MANY_FILES, () => 0);
      await stage.loaded('.file');
      stage.search('beach');
    },
  },
  'folder-open': {
    title: 'A picture of a folder, opened',
    play: async (stage) => {
      await folderComplete(stage);
      stage.engine.onFile = drawn;
      stage.pressNamed('Open 2 planting.jpg');
      await stage.loaded('.stage img');
    },
  },
  'play-waiting': {
    title: 'A video, opened where nothing can be played yet',
    play: async (stage) => {
      begin(stage);
      download(stage, 0, 0.42, LINKS);
      stage.pressNamed('Play');
      await stage.loaded('.player-word:not(:empty)');
    },
  },
  'video-idle': { title: 'A video, not started', video: true, manual: true, play: () => {} },
  'video-opening': { title: 'A video, opening', video: true, play: () => {} },
  'video-waits': {
    title: 'A video that waits for all',
    video: true,
    play: async (stage) => {
      begin(stage);
      download(stage, 0, 0.42, LINKS);
      await stage.loaded('.word:not(:empty)');
    },
  },
  'video-failed': { title: 'A video that nobody has', video: true, play: fail('not-found', 'pleach.example answered 404') },
  'picture-alone': { title: 'Who feeds whom: nobody but me', play: (stage) => picture(stage, 0, { left_out: 0, peers: [{ id: fakePeerId(2).slice(0, 8), depth: null, parents: [] }] }, []) },
  'picture-few': { title: 'Who feeds whom: three others', play: (stage) => picture(stage, 0.42, fakeForest(4, { fanOut: 2 }), FEW_LINKS) },
  'picture-40': { title: 'Who feeds whom: forty', play: (stage) => picture(stage, 0.42, fakeForest(40), MANY_LINKS) },
  'picture-200': { title: 'Who feeds whom: two hundred and more', play: (stage) => picture(stage, 0.61, fakeForest(200, { leftOut: 812 }), CROWD_LINKS) },
  'picture-no-tracker': {
    title: 'Who feeds whom: the tracker is gone',
    play: async (stage) => {
      await picture(stage, 0.42, null, MANY_LINKS);
      stage.engine.say({ type: 'trackerDown', reason: 'the connection was closed', retryMs: 4_000 });
    },
  },
  'picture-done': {
    title: 'Who feeds whom: complete, and passing on',
    play: (stage) => picture(stage, 1, fakeForest(12), [3, 4, 6, 9].map((number) => linkTo(number, { role: 'child', stripesUp: 2, sentBytes: number * 20 * MB, upBytesPerS: number * 0.1 * MB, receivedBytes: 31 * MB }))),
  },
  'picture-stopped': {
    title: 'Who feeds whom: stopped',
    play: async (stage) => {
      await picture(stage, 0.42, fakeForest(4, { fanOut: 2 }), FEW_LINKS);
      stage.engine.say({ type: 'stopped' });
    },
  },
  'failed-not-found': { title: 'Not found', play: fail('not-found', 'pleach.example answered 404') },
  'failed-link': { title: 'Broken link', play: fail('link', 'expected 64 hexadecimal digits') },
  'failed-digest': { title: 'Wrong manifest', play: fail('digest', 'the manifest does not have the digest that the link gives') },
  'failed-storage': {
    title: 'Disk full',
    play: (stage) => {
      begin(stage);
      download(stage, 0, 0.29, LINKS);
      stage.engine.say(failed('storage-full', 'QuotaExceededError'));
    },
  },
  'web-only': {
    title: 'No WebRTC, and a web server',
    play: (stage) => {
      stage.engine.say({ type: 'content', content: FAKE_CONTENT });
      stage.engine.say({ type: 'webOnly' });
      fetching(stage);
    },
  },
  'no-webrtc': { title: 'No WebRTC', play: fail('no-webrtc', 'the manifest names no tracker and no web server') },
};

const HOUR_MS = 3_600_000;
const NOW_MS = Date.now();
const KEPT: readonly KeptContent[] = [
  { id: '1'.repeat(64), name: 'gardens-of-the-world.mp4', page: '/1', sizeBytes: SIZE, heldBytes: 0.42 * SIZE, lastUsedMs: NOW_MS, isInUse: true },
  { id: '2'.repeat(64), name: 'Photographs of the summer', page: '/2', sizeBytes: 812 * MB, heldBytes: 812 * MB, lastUsedMs: NOW_MS - 3 * HOUR_MS, isInUse: false },
  { id: '6f2e'.repeat(16), name: '', page: '', sizeBytes: 96 * MB, heldBytes: 31 * MB, lastUsedMs: NOW_MS - 50 * HOUR_MS, isInUse: false },
  {
    id: '4'.repeat(64),
    name: 'تسجيل_الاجتماع_السنوي_لجمعية_البستانيين_الجزء_الثالث_النسخة_النهائية_المصححة_2025.tar.gz',
    page: '/4',
    sizeBytes: 14 * MB,
    heldBytes: 14 * MB,
    lastUsedMs: NOW_MS - 900 * HOUR_MS,
    isInUse: false,
  },
];

export const KEPT_SCENES: Record<string, KeptScene> = {
  kept: { title: 'Kept: a list', kept: KEPT },
  'kept-asking': { title: 'Kept: all is about to be deleted', kept: KEPT, asking: true },
  'kept-empty': { title: 'Kept: nothing', kept: [] },
  'kept-unsupported': { title: 'Kept: not by this browser', kept: null },
};
