/**
 * What all elements that show a download have in common: attributes become commands to a download store, what happens
 * in it becomes events and properties. How it looks is the part of each element.
 */

import type { PasswordForm } from './password-form.js';
import type { EnginePort, Problem, WebUse } from '../engine/port.js';
import { relationOf } from '../forest/scene.js';
import { isBusy, isComplete, type DownloadPhase, type DownloadState, type LinkedPeer, type UploadSetting } from '../store/state.js';
import { createDownloadStore, type DownloadStore } from '../store/store.js';
import { describeProblem } from '../store/words.js';
import { parseSize } from './size.js';

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
/** All of one more descriptor is there: see `descriptor`. */
export type PleachDescriptorEvent = CustomEvent<{ readonly index: number; readonly name: string }>;
/** The download can't go on. */
export type PleachErrorEvent = CustomEvent<Problem & { readonly title: string; readonly advice: string }>;

export interface PleachEventMap {
  'pleach-statechange': PleachStateChangeEvent;
  'pleach-progress': PleachProgressEvent;
  'pleach-peers': PleachPeersEvent;
  'pleach-descriptor': PleachDescriptorEvent;
  'pleach-complete': PleachCompleteEvent;
  'pleach-error': PleachErrorEvent;
}

export abstract class DownloadElement extends HTMLElement {
  protected readonly root: ShadowRoot;
  protected store: DownloadStore | null = null;
  /** The state that is shown. */
  protected shown: DownloadState | null = null;
  /** What the person chose at the switch; until then the attribute says. */
  #uploadChosen: boolean | null = null;
  /** A page that is put aside says good-bye; this tells whether to come back. */
  #resumeOnReturn = false;
  #form: PasswordForm | null = null;
  #loadingForm = false;

  protected constructor(template: string, sheet: CSSStyleSheet) {
    super();
    this.root = this.attachShadow({ mode: 'open' });
    this.root.adoptedStyleSheets = [sheet];
    const parsed = document.createElement('template');
    parsed.innerHTML = template;
    this.root.append(parsed.content.cloneNode(true));
  }

  /** A new engine for each attempt. */
  protected abstract createEngine(): EnginePort;

  /** Puts a state in its place; `before` is the one that is shown. */
  protected abstract render(state: DownloadState, before: DownloadState | null): void;

  /** Whether it begins by itself. */
  protected get startsByItself(): boolean {
    return this.hasAttribute('autostart');
  }

  /** The store is given up: what was made for it goes too. */
  protected storeDropped(): void {}

  connectedCallback(): void {
    addEventListener('pagehide', this.#onPageHide);
    addEventListener('pageshow', this.#onPageShow);
    this.ensureStore();
    if (this.startsByItself) this.start();
  }

  disconnectedCallback(): void {
    removeEventListener('pagehide', this.#onPageHide);
    removeEventListener('pageshow', this.#onPageShow);
    // Moved elsewhere in the page, it goes on.
    queueMicrotask(() => {
      if (!this.isConnected) this.#dropStore();
    });
  }

  attributeChangedCallback(name: string, before: string | null, value: string | null): void {
    if (before === value || !this.isConnected) return;
    if (name === 'src') {
      this.#dropStore();
      this.ensureStore();
    }
    if (name === 'upload') this.#applyUpload();
    if (name === 'name') this.#show(this.ensureStore().getState());
    if ((name === 'src' || name === 'autostart') && this.startsByItself) this.start();
  }

  /** The link or URL. */
  get src(): string {
    return this.getAttribute('src') ?? '';
  }
  set src(value: string) {
    this.setAttribute('src', value);
  }

  /** `idle`, `opening`, `checking`, `searching`, `downloading`, `complete`, `saving`, `saved`, `failed` or `stopped`. */
  get state(): DownloadPhase {
    return this.store?.getState().phase ?? 'idle';
  }

  /** The name as the author gave it; empty until it is known. */
  get fileName(): string {
    return this.getAttribute('name') ?? this.store?.getState().content?.name ?? '';
  }

  /** 0 to 1. */
  get progress(): number {
    return this.store?.getState().progress ?? 0;
  }

  /** Bytes a second. */
  get downloadSpeed(): number {
    return this.store?.getState().downBytesPerS ?? 0;
  }

  /** Bytes a second. */
  get uploadSpeed(): number {
    return this.store?.getState().upBytesPerS ?? 0;
  }

  /** Seconds, or `null` if nobody can tell. */
  get timeRemaining(): number | null {
    return this.store?.getState().timeRemainingS ?? null;
  }

  /** Connected peers. */
  get numPeers(): number {
    return this.store?.getState().links.length ?? 0;
  }

  /** Who is connected, and what each has carried; a new list whenever something changed. */
  get peers(): readonly LinkedPeer[] {
    return this.store?.getState().links ?? [];
  }

  /**
   * The bytes of a descriptor (a part of which any subset is useful, see `pleach publish --descriptors`), as soon as all of
   * them are there. Rejects if there is no such descriptor, and when the download ends before.
   */
  descriptor(index: number): Promise<Blob> {
    return this.ensureStore().descriptor(index);
  }

  /** Begins, goes on after a stop, or tries again after a failure. */
  start(): void {
    if (this.src === '') return;
    this.ensureStore().dispatch({
      type: 'start',
      source: new URL(this.src, document.baseURI).href,
      quotaBytes: parseSize(this.getAttribute('quota')),
      web: this.#web(),
    });
  }

  /** The web servers that have the content too; those that make no sense are left out. A new word counts for the next attempt. */
  get source(): string {
    return this.getAttribute('source') ?? '';
  }
  set source(value: string) {
    this.setAttribute('source', value);
  }

  #web(): WebUse {
    const named = this.source.split(/\s+/u).filter((text) => text !== '' && URL.canParse(text, document.baseURI));
    const sources = named.map((text) => new URL(text, document.baseURI)).filter(({ protocol }) => /^https?:$/u.test(protocol));
    return { sources: sources.map(({ href }) => href), limitBytesPerS: parseSize(this.getAttribute('source-limit')) };
  }

  /** Leaves the swarm; what is verified stays. */
  stop(): void {
    this.store?.dispatch({ type: 'stop' });
  }

  /** The person's own word on uploading goes before the attribute. */
  protected chooseUpload(allowed: boolean): void {
    this.#uploadChosen = allowed;
    this.#applyUpload();
  }

  protected ensureStore(): DownloadStore {
    if (!this.store) {
      this.store = createDownloadStore({ createEngine: () => this.createEngine(), upload: this.#uploadWanted() });
      this.store.subscribe((state) => this.#follow(state));
      this.shown = null;
      this.#show(this.store.getState());
    }
    return this.store;
  }

  protected find<T extends HTMLElement = HTMLElement>(selector: string): T {
    const found = this.root.querySelector<T>(selector);
    if (!found) throw new Error(`the template has no ${selector}`);
    return found;
  }

  #dropStore(): void {
    if (this.store) this.storeDropped();
    this.store?.dispose();
    this.store = null;
  }

  #uploadWanted(): UploadSetting {
    const { allowed, limitBytesPerS } = parseUpload(this.getAttribute('upload'), savesData());
    return { allowed: this.#uploadChosen ?? allowed, limitBytesPerS };
  }

  #applyUpload(): void {
    this.ensureStore().dispatch({ type: 'setUpload', upload: this.#uploadWanted() });
  }

  readonly #onPageHide = (): void => {
    this.#resumeOnReturn = isBusy(this.state);
    this.stop();
  };

  readonly #onPageShow = (event: PageTransitionEvent): void => {
    if (event.persisted && this.#resumeOnReturn) this.start();
  };

  #show(state: DownloadState): void {
    const before = this.shown;
    this.shown = state;
    if (this.getAttribute('state') !== state.phase) this.setAttribute('state', state.phase);
    this.render(state, before);
  }

  /** Asks for a password where `.unlock` is, while one is needed. */
  protected renderLock(state: DownloadState): void {
    const place = this.find('.unlock');
    const { locked } = state;
    place.hidden = locked === null;
    this.#form?.show(locked);
    if (this.#form || this.#loadingForm || locked === null) return;
    this.#loadingForm = true;
    void import('./password-form.js').then(({ PasswordForm }) => {
      this.#form = new PasswordForm(place, (password) => this.store?.dispatch({ type: 'unlock', password }));
      this.#form.show(this.shown?.locked ?? null);
      // Whoever pressed the button of this element goes on there; nobody else is taken away from where they are.
      if (this.shown?.locked && (this.root.activeElement || document.activeElement === document.body)) this.#form.focus();
    });
  }

  /** Shows a state and tells the page of it. */
  #follow(state: DownloadState): void {
    const before = this.shown;
    this.#show(state);
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
    for (const index of state.descriptors.filter((each) => !before.descriptors.includes(each))) {
      this.#tell('pleach-descriptor', { index, name: state.content?.descriptors?.[index]?.name ?? '' });
    }
    if (isComplete(state.phase) && !isComplete(before.phase) && state.content) {
      const { id, name, sizeBytes } = state.content;
      this.#tell('pleach-complete', { id, name, sizeBytes });
    }
    if (state.phase === 'failed' && before.phase !== 'failed' && state.problem) {
      const { title, advice } = describeProblem(state.problem);
      this.#tell('pleach-error', { ...state.problem, title, advice });
    }
  }

  #tell<Name extends keyof PleachEventMap>(name: Name, detail: PleachEventMap[Name]['detail']): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
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
