/** What is opened of a download, in its place above the progress. Loaded when somebody opens something. */

import { displayName } from '../../store/names.js';
import { isComplete } from '../../store/state.js';
import type { DownloadStore } from '../../store/store.js';
import { addStyle, element } from '../dom.js';
import { Viewer } from '../viewer.js';
import { PLAYER_CSS } from './pleach-download.player-styles.js';

export class PlayerSection {
  readonly #root: HTMLElement;
  #viewer: Viewer | null = null;
  /** Ends waiting for all to be here, where nothing can be played before. */
  #stopWaiting = (): void => {};
  /** Has the focus again when the player is closed. */
  #opener: HTMLElement | null = null;

  constructor(root: HTMLElement) {
    this.#root = root;
    addStyle(root, PLAYER_CSS);
  }

  async open(store: DownloadStore, file: number, workerUrl: string | undefined): Promise<void> {
    const opener = (this.#root.getRootNode() as ShadowRoot).activeElement;
    this.close();
    this.#opener = opener instanceof HTMLElement ? opener : null;
    const path = store.getState().content?.files[file]?.path ?? '';
    const name = displayName(path.slice(path.lastIndexOf('/') + 1));
    const close = element('button', 'quiet player-close', [document.createTextNode('Close')]);
    close.type = 'button';
    close.setAttribute('aria-label', `Close ${name}`);
    close.addEventListener('click', () => this.close());
    const stage = element('div', 'stage');
    const head = element('div', 'player-head', [element('bdi', 'player-name', [document.createTextNode(name)]), close]);
    const word = element('p', 'player-word');
    word.setAttribute('role', 'status');
    this.#root.replaceChildren(stage, word, head);
    this.#root.hidden = false;
    const viewer = new Viewer(store, { workerUrl, onWord: (text) => (word.textContent = text) });
    this.#viewer = viewer;
    const shown = await viewer.open(file);
    if (this.#viewer !== viewer) return viewer.close();
    if (!shown) return this.#openWhenComplete(store, file, workerUrl);
    stage.append(shown);
    this.#root.scrollIntoView({ block: 'nearest' });
    shown.focus({ preventScroll: true });
    if (shown instanceof HTMLMediaElement) void shown.play().catch(() => undefined);
  }

  #openWhenComplete(store: DownloadStore, file: number, workerUrl: string | undefined): void {
    if (isComplete(store.getState().phase)) return;
    this.#stopWaiting = store.subscribe(({ phase }) => {
      if (isComplete(phase)) void this.open(store, file, workerUrl);
    });
  }

  close(): void {
    this.#stopWaiting();
    this.#viewer?.close();
    this.#viewer = null;
    this.#root.hidden = true;
    this.#root.replaceChildren();
    if (this.#opener?.isConnected) this.#opener.focus();
    this.#opener = null;
  }
}
