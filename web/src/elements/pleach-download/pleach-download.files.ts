/**
 * The files of a folder: a list by folder, found by a part of their name, a page of it at a time. Each row says how much
 * of the file is here, and saves or opens it. Loaded only for folders.
 */

import { fileList, type FileQuery, type FileRow } from '../../store/file-list.js';
import type { DownloadState } from '../../store/state.js';
import { addStyle, element, renderList, setText } from '../dom.js';
import { FILES_CSS } from './pleach-download.files-styles.js';
import { KIND_ICONS } from './pleach-download.icons.js';

const TEMPLATE = `
<div class="files-head">
  <h3 id="files-title">Files</h3>
  <p class="files-summary"></p>
  <label class="files-search"><span class="hidden">Find a file by its name</span><input type="search" placeholder="Find by name" autocomplete="off" spellcheck="false"></label>
</div>
<ul class="file-rows"></ul>
<nav class="files-pages" aria-label="Pages of files">
  <button class="quiet files-back" part="button" type="button">Previous</button>
  <span class="files-span"></span>
  <button class="quiet files-on" part="button" type="button">Next</button>
</nav>
<p class="hidden files-news" role="status" aria-live="polite"></p>`;

/** What a person may do with a file. */
export interface FileCommands {
  save(file: number): void;
  cancel(file: number): void;
  open(file: number): void;
}

export class FilesSection {
  readonly #root: HTMLElement;
  readonly #commands: FileCommands;
  #state: DownloadState | null = null;
  #query: FileQuery = { search: '', page: 0 };
  #content = '';

  constructor(root: HTMLElement, commands: FileCommands) {
    this.#root = root;
    this.#commands = commands;
    addStyle(root, FILES_CSS);
    root.innerHTML = TEMPLATE;
    this.#find<HTMLInputElement>('input').addEventListener('input', (event) => {
      this.#ask({ search: (event.target as HTMLInputElement).value, page: 0 }, true);
    });
    this.#find('.files-back').addEventListener('click', () => this.#turn(-1));
    this.#find('.files-on').addEventListener('click', () => this.#turn(1));
    this.#find('.file-rows').addEventListener('click', (event) => this.#press(event.target as HTMLElement));
  }

  show(state: DownloadState): void {
    if (state.content && state.content.id !== this.#content) {
      this.#content = state.content.id;
      this.#query = { search: '', page: 0 };
    }
    this.#state = state;
    this.#render();
  }

  #find<T extends HTMLElement = HTMLElement>(selector: string): T {
    return this.#root.querySelector(selector) as T;
  }

  #turn(by: number): void {
    this.#ask({ ...this.#query, page: this.#query.page + by }, true);
  }

  #ask(query: FileQuery, aloud: boolean): void {
    this.#query = query;
    const { summary, span } = this.#render();
    if (aloud) setText(this.#find('.files-news'), span === '' ? summary : `${summary}. ${span}`);
  }

  #press(target: HTMLElement): void {
    const button = target.closest('button');
    const file = Number(button?.closest<HTMLElement>('.file')?.dataset['file'] ?? NaN);
    if (!button || Number.isNaN(file) || button.getAttribute('aria-disabled') === 'true') return;
    if (button.classList.contains('file-open')) this.#commands.open(file);
    else if (button.dataset['action'] === 'cancel') this.#commands.cancel(file);
    else this.#commands.save(file);
  }

  #render(): { summary: string; span: string } {
    if (!this.#state) return { summary: '', span: '' };
    const { rows, summary, span, page, pages, searchable } = fileList(this.#state, this.#query);
    this.#query = { ...this.#query, page };
    setText(this.#find('.files-summary'), summary);
    this.#find('.files-search').hidden = !searchable;
    this.#find('.files-pages').hidden = pages < 2;
    setText(this.#find('.files-span'), span);
    setEnabled(this.#find('.files-back'), page > 0);
    setEnabled(this.#find('.files-on'), page < pages - 1);
    renderList(this.#find('.file-rows'), rows, renderRow);
    return { summary, span };
  }
}

/** Not `disabled`, which would drop the focus. */
function setEnabled(button: HTMLElement, enabled: boolean): void {
  button.setAttribute('aria-disabled', String(!enabled));
}

function renderRow(present: HTMLElement | null, row: FileRow): HTMLElement {
  const node = present ?? makeRow();
  const [folder, icon, what, share, buttons] = Array.from(node.children) as [HTMLElement, HTMLElement, HTMLElement, HTMLElement, HTMLElement];
  const [name, about] = Array.from(what.children) as [HTMLElement, HTMLElement];
  const [size, status] = Array.from(about.children) as [HTMLElement, HTMLElement];
  const [open, save] = Array.from(buttons.children) as [HTMLElement, HTMLElement];
  node.dataset['file'] = String(row.file);
  node.dataset['tone'] = row.tone;
  folder.hidden = row.folder === null || row.folder === '';
  setText(folder, row.folder ?? '');
  if (icon.dataset['kind'] !== row.kind) {
    icon.dataset['kind'] = row.kind;
    icon.innerHTML = KIND_ICONS[row.kind];
  }
  setText(name, row.name);
  setText(size, row.size);
  setText(status, row.status);
  share.hidden = row.progress === 0 || row.progress === 1;
  share.style.setProperty('--_share', row.progress.toFixed(3));
  setButton(open, row.open, row.name);
  open.hidden = row.open === '';
  setButton(save, row.save.label, row.name);
  save.dataset['action'] = row.save.action ?? '';
  setEnabled(save, row.save.action !== null);
  return node;
}

function makeRow(): HTMLElement {
  const open = element('button', 'quiet file-open');
  const save = element('button', 'quiet file-save');
  for (const button of [open, save]) {
    button.type = 'button';
    button.setAttribute('part', 'button');
  }
  const node = element('li', 'file', [
    element('p', 'file-folder'),
    element('span', 'file-icon'),
    element('div', 'file-what', [element('bdi', 'file-name'), element('p', 'file-about', [element('span', 'file-size'), element('span', 'file-status')])]),
    element('div', 'file-share', [element('i', '')]),
    element('div', 'file-buttons', [open, save]),
  ]);
  node.setAttribute('part', 'file');
  return node;
}

/** Read aloud it says of which file. */
function setButton(button: HTMLElement, label: string, name: string): void {
  setText(button, label);
  button.setAttribute('aria-label', `${label} ${name}`);
}
