/**
 * `<pleach-download>`: one download, shown. It is dumb: attributes become commands to a download store, the store's
 * state becomes a `View` of plain words, and `render` puts each word in its place.
 */

import type { EnginePort, Problem } from '../../engine/port.js';
import { relationOf } from '../../forest/scene.js';
import { formatBytes, formatCount } from '../../store/format.js';
import { isBusy, isComplete, type DownloadPhase, type DownloadState, type LinkedPeer, type UploadSetting } from '../../store/state.js';
import { createDownloadStore, type DownloadStore } from '../../store/store.js';
import { announcement, viewOf, type Notice, type PeerLine, type View } from '../../store/words.js';
import { braidSvg } from './pleach-download.braid.js';
import { KIND_ICONS, NOTICE_ICONS, TICK_ICON, TIP } from './pleach-download.icons.js';
import { PICTURE_TEMPLATE, PictureSection } from './pleach-download.picture.js';
import { styleSheet } from './pleach-download.styles.js';

/** The state of the download changed. */
export type PleachStateChangeEvent = CustomEvent<{ readonly state: DownloadPhase; readonly previous: DownloadPhase }>;
/** Something moved; at most a few times a second. */
export type PleachProgressEvent = CustomEvent<{
  readonly progress: number;
  readonly haveBytes: number;
  readonly sizeBytes: number;
  readonly downloadSpeed: number;
  readonly uploadSpeed: number;
  readonly timeRemaining: number | null;
  readonly numPeers: number;
}>;
/** Somebody came, went, or is something else to this browser now. */
export type PleachPeersEvent = CustomEvent<{ readonly peers: readonly LinkedPeer[] }>;
/** Everything is here and verified. */
export type PleachCompleteEvent = CustomEvent<{ readonly id: string; readonly name: string; readonly sizeBytes: number }>;
/** The download can't go on. */
export type PleachErrorEvent = CustomEvent<Problem & { readonly title: string; readonly advice: string }>;

export interface PleachEventMap {
  'pleach-statechange': PleachStateChangeEvent;
  'pleach-progress': PleachProgressEvent;
  'pleach-peers': PleachPeersEvent;
  'pleach-complete': PleachCompleteEvent;
  'pleach-error': PleachErrorEvent;
}

/** More rows than this help nobody. */
const PEERS_SHOWN_MAX = 8;
const BAR_HEIGHT = 26;

const TEMPLATE = `
<article class="card" part="card" aria-labelledby="name">
  <header class="head">
    <span class="icon" part="icon"><slot name="icon"></slot></span>
    <div>
      <h2 class="name" part="name" id="name" dir="auto"></h2>
      <p class="about" part="about"></p>
    </div>
  </header>
  <div class="meter">
    <div class="figures">
      <span class="percent" part="percent" aria-hidden="true"></span>
      <p class="status"><span class="headline" part="headline"></span><span class="time" part="time"></span></p>
    </div>
    <div class="bar" part="bar" role="progressbar" aria-labelledby="name" aria-valuemin="0" aria-valuemax="100">
      <div class="bar-track" part="bar-track">${braidSvg('track', BAR_HEIGHT)}</div>
      <div class="bar-fill" part="bar-fill">${braidSvg('fill', BAR_HEIGHT)}</div>
      <div class="tip-place">${TIP}</div>
    </div>
    <ul class="facts" part="facts"></ul>
  </div>
  <div class="notices"></div>
  <div class="actions" part="actions">
    <button class="main" part="button button-main" type="button"></button>
    <button class="stop" part="button button-stop" type="button">Stop</button>
    <slot name="actions"></slot>
    <span class="hint" id="hint"></span>
  </div>
  <div class="more">
    <section class="peers-section" part="peers" aria-labelledby="peers-title">
      <h3 id="peers-title"></h3>
      <ul class="peers"></ul>
      <p class="peers-rest"></p>
    </section>
    <div class="upload" part="upload">
      <span class="passing-on"></span>
      <label class="switch"><input type="checkbox" role="switch"> Help others</label>
    </div>
    ${PICTURE_TEMPLATE}
    <details part="details">
      <summary>Details and verification</summary>
      <dl class="about-it">
        <div><dt>Full name</dt><dd class="full-name" dir="auto"></dd></div>
        <div><dt>Content id (BLAKE3)</dt><dd class="id"></dd></div>
        <div><dt>Size</dt><dd class="exact-size"></dd></div>
        <div><dt>In the swarm</dt><dd class="swarm"></dd></div>
        <div><dt>Verification</dt><dd class="verified"></dd></div>
      </dl>
    </details>
  </div>
  <slot name="footer"></slot>
  <p class="hidden live" role="status" aria-live="polite"></p>
</article>`;

/**
 * A download from the people who have the file, shown with its progress, and saved to the disk.
 *
 * @element pleach-download
 *
 * @attr {string} src - A share link (`https://TRACKER/ID#m1.DIGEST`) or the URL of a `.pleach` file.
 * @attr {boolean} autostart - Start at once rather than at the press of a button.
 * @attr {string} upload - `off` gives nothing to others; `500k` gives at most 500 kB/s. Else there is no limit, unless the browser saves data.
 * @attr {string} name - Shown and saved instead of the author's name.
 * @attr {string} state - Set by the element, to style it by: see the property.
 *
 * @event {PleachStateChangeEvent} pleach-statechange - The state changed.
 * @event {PleachProgressEvent} pleach-progress - Something moved.
 * @event {PleachPeersEvent} pleach-peers - Somebody came, went, or is something else to this browser now.
 * @event {PleachCompleteEvent} pleach-complete - Everything is here and verified.
 * @event {PleachErrorEvent} pleach-error - The download can't go on.
 *
 * @slot - Shown only where the element can't work: a word for browsers without scripts.
 * @slot icon - Instead of the picture of the file's kind.
 * @slot actions - More buttons.
 * @slot footer - Below everything.
 *
 * @part card - The whole box.
 * @part icon - The picture of the file's kind.
 * @part name - The file's name.
 * @part about - Its size and kind.
 * @part percent - The large number.
 * @part headline - What is going on.
 * @part time - The time left.
 * @part bar - The progress bar.
 * @part bar-track - The bar's ground.
 * @part bar-fill - What is done of it.
 * @part facts - The line of numbers below the bar.
 * @part notice - A message: resumed, warning, problem, saved.
 * @part actions - The row of buttons.
 * @part button - Every button.
 * @part button-main - Download, Save, Try again.
 * @part button-stop - Stop.
 * @part peers - Who is connected.
 * @part peer - One of them.
 * @part upload - What is passed on, and the switch.
 * @part picture - Who feeds whom.
 * @part details - The details.
 *
 * @cssproperty --pleach-accent - Buttons, switch, focus.
 * @cssproperty --pleach-on-accent - Text on them.
 * @cssproperty --pleach-surface - The box.
 * @cssproperty --pleach-ground - Quiet areas in it.
 * @cssproperty --pleach-ink - Text.
 * @cssproperty --pleach-muted - Secondary text.
 * @cssproperty --pleach-line - Lines, and the braid that is still to grow.
 * @cssproperty --pleach-strand-1 - First strand of the braid.
 * @cssproperty --pleach-strand-2 - Second strand.
 * @cssproperty --pleach-strand-3 - Third strand.
 * @cssproperty --pleach-radius - Corners of the box.
 * @cssproperty --pleach-font - Font of the text.
 * @cssproperty --pleach-font-display - Font of the large number and words.
 */
export abstract class PleachDownload extends HTMLElement {
  static readonly observedAttributes: readonly string[] = ['src', 'autostart', 'upload', 'name'];

  readonly #root: ShadowRoot;
  #store: DownloadStore | null = null;
  #shown: DownloadState | null = null;
  /** What the person chose at the switch; until then the attribute says. */
  #uploadChosen: boolean | null = null;
  /** A page that is put aside says good-bye; this tells whether to come back. */
  #resumeOnReturn = false;
  readonly #picture: PictureSection;

  constructor() {
    super();
    this.#root = this.attachShadow({ mode: 'open' });
    this.#root.adoptedStyleSheets = [styleSheet()];
    const template = document.createElement('template');
    template.innerHTML = TEMPLATE;
    this.#root.append(template.content.cloneNode(true));
    this.#find<HTMLButtonElement>('.main').addEventListener('click', () => this.#press());
    this.#find<HTMLButtonElement>('.stop').addEventListener('click', () => {
      this.stop();
      this.#find<HTMLButtonElement>('.main').focus();
    });
    this.#find<HTMLInputElement>('.switch input').addEventListener('change', (event) => {
      this.#uploadChosen = (event.target as HTMLInputElement).checked;
      this.#applyUpload();
    });
    this.#picture = new PictureSection(this.#find<HTMLDetailsElement>('.feeding'), () => this.#store?.forest() ?? Promise.resolve(null));
  }

  /** A new engine for each attempt. */
  protected abstract createEngine(): EnginePort;

  connectedCallback(): void {
    addEventListener('pagehide', this.#onPageHide);
    addEventListener('pageshow', this.#onPageShow);
    this.#ensureStore();
    this.#picture.connect();
    if (this.autostart) this.start();
  }

  disconnectedCallback(): void {
    removeEventListener('pagehide', this.#onPageHide);
    removeEventListener('pageshow', this.#onPageShow);
    this.#picture.disconnect();
    // Moved elsewhere in the page, it goes on.
    queueMicrotask(() => {
      if (!this.isConnected) this.#dropStore();
    });
  }

  attributeChangedCallback(name: string, before: string | null, value: string | null): void {
    if (before === value || !this.isConnected) return;
    if (name === 'src') {
      this.#dropStore();
      this.#ensureStore();
    }
    if (name === 'upload') this.#applyUpload();
    if (name === 'name') this.#render(this.#ensureStore().getState());
    if ((name === 'src' || name === 'autostart') && this.autostart) this.start();
  }

  /** The link or URL. */
  get src(): string {
    return this.getAttribute('src') ?? '';
  }
  set src(value: string) {
    this.setAttribute('src', value);
  }

  /** Whether it starts by itself. */
  get autostart(): boolean {
    return this.hasAttribute('autostart');
  }
  set autostart(value: boolean) {
    this.toggleAttribute('autostart', value);
  }

  /** `idle`, `opening`, `checking`, `searching`, `downloading`, `complete`, `saving`, `saved`, `failed` or `stopped`. */
  get state(): DownloadPhase {
    return this.#store?.getState().phase ?? 'idle';
  }

  /** The file's name as the author gave it; empty until it is known. */
  get fileName(): string {
    return this.getAttribute('name') ?? this.#store?.getState().content?.name ?? '';
  }

  /** 0 to 1. */
  get progress(): number {
    return this.#store?.getState().progress ?? 0;
  }

  /** Bytes a second. */
  get downloadSpeed(): number {
    return this.#store?.getState().downBytesPerS ?? 0;
  }

  /** Bytes a second. */
  get uploadSpeed(): number {
    return this.#store?.getState().upBytesPerS ?? 0;
  }

  /** Seconds, or `null` if nobody can tell. */
  get timeRemaining(): number | null {
    return this.#store?.getState().timeRemainingS ?? null;
  }

  /** Connected peers. */
  get numPeers(): number {
    return this.#store?.getState().links.length ?? 0;
  }

  /** Who is connected, and what each has carried; a new list whenever something changed. */
  get peers(): readonly LinkedPeer[] {
    return this.#store?.getState().links ?? [];
  }

  /** Begins, goes on after a stop, or tries again after a failure. */
  start(): void {
    if (this.src === '') return;
    this.#ensureStore().dispatch({ type: 'start', source: new URL(this.src, document.baseURI).href });
  }

  /** Leaves the swarm; what is verified stays. */
  stop(): void {
    this.#store?.dispatch({ type: 'stop' });
  }

  /** Saves the file. Call it inside a click: browsers open the file picker only there. */
  save(): void {
    const name = this.getAttribute('name');
    this.#store?.dispatch(name ? { type: 'save', name } : { type: 'save' });
  }

  #press(): void {
    const state = this.#ensureStore().getState();
    const { action } = viewOf(state).main;
    if (action === 'start') this.start();
    if (action === 'save') this.save();
  }

  #ensureStore(): DownloadStore {
    if (!this.#store) {
      this.#store = createDownloadStore({ createEngine: () => this.createEngine(), upload: this.#uploadWanted() });
      this.#store.subscribe((state) => this.#follow(state));
      this.#shown = null;
      this.#render(this.#store.getState());
    }
    return this.#store;
  }

  #dropStore(): void {
    this.#store?.dispose();
    this.#store = null;
  }

  #uploadWanted(): UploadSetting {
    const { allowed, limitBytesPerS } = parseUpload(this.getAttribute('upload'), savesData());
    return { allowed: this.#uploadChosen ?? allowed, limitBytesPerS };
  }

  #applyUpload(): void {
    this.#ensureStore().dispatch({ type: 'setUpload', upload: this.#uploadWanted() });
  }

  readonly #onPageHide = (): void => {
    this.#resumeOnReturn = isBusy(this.state);
    this.stop();
  };

  readonly #onPageShow = (event: PageTransitionEvent): void => {
    if (event.persisted && this.#resumeOnReturn) this.start();
  };

  /** Shows a state and tells the page of it. */
  #follow(state: DownloadState): void {
    const before = this.#shown;
    this.#render(state);
    if (!before) return;
    if (state.phase !== before.phase) this.#tell('pleach-statechange', { state: state.phase, previous: before.phase });
    if (movedSince(before, state)) {
      this.#tell('pleach-progress', {
        progress: state.progress,
        haveBytes: state.haveBytes,
        sizeBytes: state.content?.sizeBytes ?? 0,
        downloadSpeed: state.downBytesPerS,
        uploadSpeed: state.upBytesPerS,
        timeRemaining: state.timeRemainingS,
        numPeers: state.links.length,
      });
    }
    if (relations(state) !== relations(before)) this.#tell('pleach-peers', { peers: state.links });
    if (isComplete(state.phase) && !isComplete(before.phase) && state.content) {
      const { id, name, sizeBytes } = state.content;
      this.#tell('pleach-complete', { id, name, sizeBytes });
    }
    if (state.phase === 'failed' && before.phase !== 'failed' && state.problem) {
      const { title = '', advice = '' } = viewOf(state).notices.find((notice) => notice.tone === 'error') ?? {};
      this.#tell('pleach-error', { ...state.problem, title, advice });
    }
  }

  #tell<Name extends keyof PleachEventMap>(name: Name, detail: PleachEventMap[Name]['detail']): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  #find<T extends HTMLElement = HTMLElement>(selector: string): T {
    const found = this.#root.querySelector<T>(selector);
    if (!found) throw new Error(`the template has no ${selector}`);
    return found;
  }

  #say(selector: string, text: string): void {
    setText(this.#find(selector), text);
  }

  #render(state: DownloadState): void {
    const view = viewOf(state, this.getAttribute('name') ?? '');
    const before = this.#shown;
    this.#shown = state;
    if (this.getAttribute('state') !== state.phase) this.setAttribute('state', state.phase);
    this.#renderHead(view);
    this.#renderMeter(view, state);
    renderList(this.#find('.notices'), view.notices, renderNotice);
    this.#renderActions(view);
    this.#renderMore(view, state);
    this.#picture.show(state);
    const news = before && announcement(before, state, view);
    if (news) this.#say('.live', news);
  }

  #renderHead(view: View): void {
    this.#say('.name', view.name);
    this.#find('.name').title = view.name;
    this.#say('.about', view.about);
    const icon = this.#find('.icon slot');
    if (icon.dataset['kind'] !== view.kind) {
      icon.dataset['kind'] = view.kind;
      icon.innerHTML = KIND_ICONS[view.kind];
    }
  }

  #renderMeter(view: View, state: DownloadState): void {
    this.#say('.percent', view.percent);
    this.#find('.percent').hidden = view.percent === '';
    this.#find('.figures').classList.toggle('wordy', view.percent === '');
    this.#say('.headline', view.headline);
    this.#say('.time', view.timeLeft);
    const bar = this.#find('.bar');
    bar.classList.toggle('unknown', view.progress === null);
    bar.classList.toggle('moving', isBusy(state.phase) && state.downBytesPerS === 0 && state.stall === null && state.online);
    bar.style.setProperty('--_progress', (view.progress ?? 0).toFixed(4));
    if (view.progress === null) bar.removeAttribute('aria-valuenow');
    else bar.setAttribute('aria-valuenow', String(Math.floor(view.progress * 100)));
    bar.setAttribute('aria-valuetext', view.progressText);
    renderList(this.#find('.facts'), view.facts, (item: HTMLElement | null, fact) => {
      const node = item ?? document.createElement('li');
      setText(node, fact);
      return node;
    });
    const verified = this.#root.querySelector('.facts li');
    if (isComplete(state.phase) && state.phase !== 'saving') markVerified(verified);
    else verified?.classList.remove('tick');
  }

  #renderActions(view: View): void {
    const main = this.#find<HTMLButtonElement>('.main');
    setText(main, view.main.label);
    // Not `disabled`, which would drop the focus and hide the hint from keyboards.
    main.setAttribute('aria-disabled', String(view.main.action === null));
    main.setAttribute('aria-describedby', 'hint');
    this.#find('.stop').hidden = !view.canStop;
    this.#say('.hint', view.main.hint);
  }

  #renderMore(view: View, state: DownloadState): void {
    const { content } = state;
    this.#find('.more').hidden = content === null;
    this.#find('.peers-section').hidden = view.peers.length === 0;
    this.#say('#peers-title', view.peersTitle);
    renderList(this.#find('.peers'), view.peers.slice(0, PEERS_SHOWN_MAX), renderPeer);
    const rest = view.peers.length - PEERS_SHOWN_MAX;
    this.#say('.peers-rest', rest > 0 ? `and ${rest} more` : '');
    this.#find('.upload').hidden = view.passingOn === '' || state.phase === 'failed';
    this.#say('.passing-on', view.passingOn);
    this.#find<HTMLInputElement>('.switch input').checked = state.upload.allowed;
    this.#find('.switch').hidden = !state.sharing;
    if (!content) return;
    this.#say('.full-name', view.name);
    this.#say('.id', content.id);
    this.#say('.exact-size', `${formatBytes(content.sizeBytes)} (${content.sizeBytes.toLocaleString('en')} bytes)${content.mediaType ? `, ${content.mediaType}` : ''}`);
    this.#say('.swarm', state.sharing && state.swarmPeers > 0 ? `${formatCount(state.swarmPeers, 'peer', 'peers')} with you, ${formatCount(state.swarmSeeders, 'has', 'have')} everything` : 'not connected');
    this.#say('.verified', view.verified);
  }
}

/** Reads the attribute `upload`. What makes no sense counts as absent. */
export function parseUpload(value: string | null, saveData: boolean): UploadSetting {
  const text = (value ?? '').trim().toLowerCase();
  if (text === 'off' || text === '0' || text === '0k') return { allowed: false, limitBytesPerS: null };
  const limit = /^(\d{1,9})\s*k$/u.exec(text);
  if (limit) return { allowed: true, limitBytesPerS: Number(limit[1]) * 1000 };
  return { allowed: text === 'on' || !saveData, limitBytesPerS: null };
}

/** Whether the person asked the browser to save data. */
function savesData(): boolean {
  const { connection } = navigator as Navigator & { readonly connection?: { readonly saveData?: boolean } };
  return connection?.saveData === true;
}

function movedSince(before: DownloadState, state: DownloadState): boolean {
  return (
    state.haveBytes !== before.haveBytes ||
    state.downBytesPerS !== before.downBytesPerS ||
    state.upBytesPerS !== before.upBytesPerS ||
    state.links.length !== before.links.length
  );
}

/** Who is connected and as what, to compare by. */
function relations({ links }: DownloadState): string {
  return links.map((link) => `${link.id} ${relationOf(link)}`).join();
}

/** Touches the page only where something changed: this runs several times a second. */
function setText(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** Makes a parent's children follow a list: each item updates the child in its place, or makes one. */
function renderList<Item>(parent: HTMLElement, items: readonly Item[], render: (node: HTMLElement | null, item: Item) => HTMLElement): void {
  items.forEach((item, index) => {
    const present = parent.children[index] as HTMLElement | undefined;
    const node = render(present ?? null, item);
    if (!present) parent.append(node);
  });
  while (parent.children.length > items.length) parent.lastElementChild?.remove();
}

function element(tag: string, className: string, children: readonly Node[] = []): HTMLElement {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...children);
  return node;
}

function renderNotice(present: HTMLElement | null, notice: Notice): HTMLElement {
  const node =
    present ??
    element('div', 'notice', [element('span', 'picture'), element('p', 'title'), element('p', 'advice'), element('p', 'detail')]);
  const [picture, title, advice, detail] = Array.from(node.children) as [HTMLElement, HTMLElement, HTMLElement, HTMLElement];
  if (node.dataset['tone'] !== notice.tone) {
    node.dataset['tone'] = notice.tone;
    node.className = `notice ${notice.tone}`;
    node.setAttribute('part', `notice notice-${notice.tone}`);
    picture.innerHTML = NOTICE_ICONS[notice.tone];
  }
  setText(title, notice.title);
  setText(advice, notice.advice);
  setText(detail, notice.detail);
  advice.hidden = notice.advice === '';
  detail.hidden = notice.detail === '';
  return node;
}

function renderPeer(present: HTMLElement | null, line: PeerLine): HTMLElement {
  const node =
    present ??
    element('li', 'peer', [
      element('div', 'who', [element('bdi', 'program'), element('span', 'role'), element('span', 'carried')]),
      element('div', 'share', [element('i', '')]),
      element('span', 'speed'),
    ]);
  node.setAttribute('part', 'peer');
  const [who, share, speed] = Array.from(node.children) as [HTMLElement, HTMLElement, HTMLElement];
  const [program, role, carried] = Array.from(who.children) as [HTMLElement, HTMLElement, HTMLElement];
  const did = [line.brought, line.given].filter((text) => text !== '').join(', ');
  setText(program, line.program);
  setText(role, did === '' ? line.role : '');
  setText(carried, did);
  share.classList.toggle('none', line.share === 0);
  share.style.setProperty('--_share', line.share.toFixed(3));
  setText(speed, line.speed);
  return node;
}

function markVerified(item: Element | null): void {
  if (!item || item.classList.contains('tick')) return;
  item.classList.add('tick');
  item.insertAdjacentHTML('afterbegin', TICK_ICON);
}
