/** How the element looks: a video, and little else. */

export const PLAY_ICON = '<svg viewBox="0 0 24 24" width="32" height="32" fill="currentColor" aria-hidden="true" focusable="false"><path d="M8 5.5v13l11-6.5z"/></svg>';

export const CSS = `
:host {
  --_accent: var(--pleach-accent, #2b6a45);
  --_on-accent: var(--pleach-on-accent, #ffffff);
  --_muted: var(--pleach-muted, #566259);
  display: block;
  font: 400 1rem/1.5 var(--pleach-font, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif);
}
@supports (color: light-dark(#000, #fff)) {
  :host {
    --_accent: var(--pleach-accent, light-dark(#2b6a45, #8fd3a4));
    --_on-accent: var(--pleach-on-accent, light-dark(#ffffff, #0d1a12));
    --_muted: var(--pleach-muted, light-dark(#566259, #a6b3a9));
  }
}
:host([hidden]), [hidden] { display: none !important; }
.frame {
  position: relative; display: grid; place-items: center; aspect-ratio: 16 / 9; overflow: hidden; background: #000;
  border-radius: var(--pleach-radius, 12px);
}
video, .poster { grid-area: 1 / 1; width: 100%; height: 100%; object-fit: contain; }
.begin {
  grid-area: 1 / 1; z-index: 1; display: grid; place-items: center; width: 4.5rem; height: 4.5rem; padding: 0; border: 0; border-radius: 50%;
  color: var(--_on-accent); background: var(--_accent); cursor: pointer;
}
.begin:focus-visible { outline: 3px solid #fff; outline-offset: 3px; }
.word { margin: .5rem 0 0; color: var(--_muted); font-size: .9375rem; }
.word:empty { display: none; }
.hidden { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (forced-colors: active) {
  .begin { border: 2px solid ButtonText; }
}
`;
