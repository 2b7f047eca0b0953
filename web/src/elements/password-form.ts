/** Asks for the password of encrypted content, in place. Loaded when one is needed. */

import { addStyle, setText } from './dom.js';

const TEMPLATE = `
<form class="unlock-form">
  <label class="unlock-label" for="password">This is encrypted. Password:</label>
  <input class="unlock-input" part="password" id="password" type="password" autocomplete="off" required maxlength="1024" aria-describedby="unlock-word">
  <button class="unlock-button" part="button" type="submit">Open</button>
  <p class="unlock-word" id="unlock-word" role="alert"></p>
</form>`;

const CSS = `
.unlock-form { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: .5rem .75rem; align-items: center; }
.unlock-label, .unlock-word { grid-column: 1 / -1; }
.unlock-label { font-weight: 600; }
.unlock-input {
  min-width: 0; padding: .625rem .75rem; font: inherit; color: inherit; background: transparent;
  border: 1px solid currentColor; border-radius: 8px;
}
.unlock-button { padding: .625rem 1.25rem; font: inherit; font-weight: 600; border-radius: 8px; cursor: pointer; }
.unlock-word:empty { display: none; }
.unlock-word { margin: 0; font-weight: 600; }
.unlock-input[aria-invalid="true"], .unlock-input[aria-invalid="true"] ~ .unlock-word { color: var(--_error, currentColor); }
.unlock-input[aria-invalid="true"] { border-width: 2px; }
`;

/** How it stands; `null`: no password is needed. */
export type Locked = { readonly wrong: boolean; readonly trying: boolean } | null;

export class PasswordForm {
  readonly #root: HTMLElement;

  constructor(root: HTMLElement, unlock: (password: string) => void) {
    this.#root = root;
    addStyle(root, CSS);
    root.innerHTML = TEMPLATE;
    this.#find('form').addEventListener('submit', (event) => {
      event.preventDefault();
      const { value } = this.#input;
      if (value !== '' && !this.#input.readOnly) unlock(value);
    });
  }

  show(locked: Locked): void {
    const input = this.#input;
    const wasTrying = input.readOnly;
    // Not `disabled`, which would drop the focus.
    input.readOnly = locked?.trying ?? false;
    this.#find('button').setAttribute('aria-disabled', String(input.readOnly));
    const word = locked?.trying ? 'Trying the password…' : locked?.wrong ? 'The password is wrong. Try another.' : '';
    setText(this.#find('.unlock-word'), word);
    input.setAttribute('aria-invalid', String(locked?.wrong ?? false));
    if (wasTrying && locked?.wrong && !locked.trying) input.select();
    // What was typed is not kept.
    if (!locked) input.value = '';
  }

  focus(): void {
    this.#input.focus();
  }

  get #input(): HTMLInputElement {
    return this.#find<HTMLInputElement>('input');
  }

  #find<T extends HTMLElement = HTMLElement>(selector: string): T {
    return this.#root.querySelector(selector) as T;
  }
}
