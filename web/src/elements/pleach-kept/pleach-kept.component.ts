/**
 * `<pleach-kept>`: what this site keeps on the device, to be seen and deleted. Where it comes from is the part of who
 * defines it, so that it is shown and tested without a disk.
 */

import type { KeptContent } from '../../storage/kept.js';
import { deletedWords, EMPTY, keptView, UNSUPPORTED, type KeptLine } from '../../store/kept-words.js';
import { element, renderList, setText, sheetOf } from '../dom.js';
import { parseSize } from '../size.js';
import { CSS } from './pleach-kept.styles.js';

/** Contents were deleted. */
export type PleachKeptRemovedEvent = CustomEvent<{ readonly ids: readonly string[] }>;

/** What is kept, and how to delete it. */
export interface KeptPlace {
  /** `null` if this page can keep nothing. */
  list(): Promise<readonly KeptContent[] | null>;
  /** Whether it is gone; what is open stays. */
  remove(id: string): Promise<boolean>;
  /** The most that is kept; `wantedBytes` is the site's word, if there is one. */
  quota(wantedBytes: number | null): Promise<number>;
}

const TEMPLATE = `
<section class="card" part="card" aria-label="Kept on this device">
  <p class="summary" part="summary"></p>
  <p class="word"></p>
  <ul class="rows" role="list"></ul>
  <div class="all" hidden>
    <span class="question" id="question" hidden></span>
    <button class="sure" part="button" type="button" aria-describedby="question" hidden>Delete</button>
    <button class="not" part="button" type="button" hidden>Keep</button>
    <button class="delete-all" part="button" type="button">Delete all</button>
  </div>
  <p class="hidden live" role="status" aria-live="polite"></p>
</section>`;

/**
 * What this site keeps on the device: a list, of which each opens where it was opened before, how much it is, and buttons
 * to delete it. What is opened by a key in its link is not opened from here: the key is kept nowhere.
 *
 * @element pleach-kept
 *
 * @attr {string} quota - `2GB`: the same as that of the site's downloads, to be told. Default: half of what the browser grants.
 *
 * @event {PleachKeptRemovedEvent} pleach-kept-removed - Contents were deleted.
 *
 * @slot - Shown only where the element can't work: a word for browsers without scripts.
 *
 * @part card - The whole box.
 * @part summary - How many, how much, of how much.
 * @part row - One content.
 * @part link - The name, where it leads to the page that opens it.
 * @part button - Delete, Delete all, Keep.
 *
 * @cssproperty --pleach-surface - Ground of the box.
 * @cssproperty --pleach-ink - Text.
 * @cssproperty --pleach-accent - Meter, focus.
 * @cssproperty --pleach-radius - Corners of the box.
 * @cssproperty --pleach-font - Font of the text.
 */
export abstract class PleachKept extends HTMLElement {
  readonly #root: ShadowRoot;
  #kept: readonly KeptContent[] = [];
  #isAsking = false;
  #lastLook = 0;

  constructor() {
    super();
    this.#root = this.attachShadow({ mode: 'open' });
    this.#root.adoptedStyleSheets = [sheetOf(CSS)];
    this.#root.innerHTML = TEMPLATE;
    this.#find('.delete-all').addEventListener('click', () => this.#ask(true));
    this.#find('.not').addEventListener('click', () => this.#ask(false));
    this.#find('.sure').addEventListener('click', () => void this.#deleteAll());
    this.#root.addEventListener('keydown', (event) => {
      if ((event as KeyboardEvent).key === 'Escape' && this.#isAsking) this.#ask(false);
    });
  }

  protected abstract get place(): KeptPlace;

  connectedCallback(): void {
    document.addEventListener('visibilitychange', this.#onSight);
    addEventListener('focus', this.#onSight);
    void this.refresh();
  }

  disconnectedCallback(): void {
    document.removeEventListener('visibilitychange', this.#onSight);
    removeEventListener('focus', this.#onSight);
  }

  /** Looks again. It does so by itself when its page comes into sight. */
  async refresh(): Promise<void> {
    this.#lastLook += 1;
    const look = this.#lastLook;
    try {
      const [kept, quotaBytes] = [await this.place.list(), await this.place.quota(parseSize(this.getAttribute('quota')))];
      if (look === this.#lastLook) this.#show(kept, quotaBytes);
    } catch (error) {
      setText(this.#find('.word'), `What is kept could not be read: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  readonly #onSight = (): void => {
    if (document.visibilityState === 'visible') void this.refresh();
  };

  #show(kept: readonly KeptContent[] | null, quotaBytes: number): void {
    this.#kept = kept ?? [];
    const view = keptView(this.#kept, quotaBytes, Date.now());
    setText(this.#find('.summary'), view.summary);
    setText(this.#find('.word'), kept === null ? UNSUPPORTED : kept.length === 0 ? EMPTY : '');
    renderList(this.#find('.rows'), view.lines, (node, line) => this.#row(node, line));
    this.#find('.all').hidden = !view.canDeleteAll;
    setText(this.#find('.question'), view.question);
    if (!view.canDeleteAll && this.#isAsking) this.#ask(false);
  }

  #row(present: HTMLElement | null, line: KeptLine): HTMLElement {
    const row = present ?? this.#newRow();
    row.dataset['id'] = line.id;
    const [name, facts, hint, held, button] = ['.name a', '.facts', '.hint', '.held', 'button'].map((part) => row.querySelector(part) as HTMLElement) as [
      HTMLElement,
      HTMLElement,
      HTMLElement,
      HTMLElement,
      HTMLElement,
    ];
    setText(name, line.name);
    if (line.href === null) name.removeAttribute('href');
    else name.setAttribute('href', line.href);
    setText(facts, line.facts);
    setText(hint, line.hint);
    held.hidden = line.held === 1;
    held.style.setProperty('--_held', String(line.held));
    button.setAttribute('aria-label', `Delete ${line.name}`);
    // Not `disabled`: who tabs through the list hears why.
    button.setAttribute('aria-disabled', String(!line.canDelete));
    button.title = line.canDelete ? '' : 'It is open in a tab. Close that first.';
    return row;
  }

  #newRow(): HTMLElement {
    const link = element('a', '');
    link.part.add('link');
    const name = element('p', 'name', [link]);
    name.dir = 'auto';
    const held = element('div', 'held', [document.createElement('i')]);
    const button = element('button', '', [document.createTextNode('Delete')]);
    button.type = 'button';
    button.part.add('button');
    const row = element('li', 'row', [element('div', '', [name, element('p', 'facts'), element('p', 'hint'), held]), button]);
    row.part.add('row');
    button.addEventListener('click', () => {
      if (button.getAttribute('aria-disabled') === 'true') this.#say(button.title);
      else void this.#delete([row.dataset['id'] ?? '']);
    });
    return row;
  }

  /** Before all goes, in place; the focus follows. */
  #ask(asking: boolean): void {
    this.#isAsking = asking;
    for (const part of ['.question', '.sure', '.not']) this.#find(part).hidden = !asking;
    this.#find('.delete-all').hidden = asking;
    this.#find(asking ? '.not' : '.delete-all').focus();
  }

  async #deleteAll(): Promise<void> {
    this.#ask(false);
    await this.#delete(this.#kept.filter(({ isInUse }) => !isInUse).map(({ id }) => id));
  }

  async #delete(ids: readonly string[]): Promise<void> {
    const before = [...this.#root.querySelectorAll<HTMLElement>('.row')];
    const at = before.findIndex((row) => row.dataset['id'] === ids[0]);
    const removed: string[] = [];
    try {
      for (const id of ids) if (await this.place.remove(id)) removed.push(id);
    } catch (error) {
      setText(this.#find('.word'), `It could not be deleted: ${error instanceof Error ? error.message : String(error)}`);
    }
    const names = before.filter((row) => removed.includes(row.dataset['id'] ?? '')).map((row) => row.querySelector('.name')?.textContent ?? '');
    await this.refresh();
    this.#say(deletedWords(names, ids.length - removed.length));
    // The button that was pressed is gone or another's now: the next one has the focus, else the list.
    const buttons = this.#root.querySelectorAll<HTMLElement>('.row button');
    const next = buttons[Math.min(at, buttons.length - 1)] ?? this.#find('.card');
    if (next.matches('.card')) next.tabIndex = -1;
    next.focus();
    if (removed.length > 0) {
      this.dispatchEvent(new CustomEvent('pleach-kept-removed', { detail: { ids: removed }, bubbles: true, composed: true }));
    }
  }

  #say(text: string): void {
    setText(this.#find('.live'), text);
  }

  #find(selector: string): HTMLElement {
    return this.#root.querySelector(selector) as HTMLElement;
  }
}
