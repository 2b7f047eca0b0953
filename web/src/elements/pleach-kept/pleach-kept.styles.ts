/** How the list looks; colours as those of the download. */

import { THEME_CSS } from '../theme.js';

export const CSS = `
${THEME_CSS}
.card { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1.25rem; padding: 2rem; background: var(--_surface); border: 1px solid var(--_line); border-radius: var(--_radius); }
.summary { color: var(--_muted); }
.summary:empty, .word:empty, .rows:empty { display: none; }
.rows { display: grid; }
.row { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: .25rem 1rem; align-items: center; padding-block: .875rem; border-block-start: 1px solid var(--_line); }
.name { font-weight: 600; overflow-wrap: anywhere; }
.facts { color: var(--_muted); font-size: .9375rem; font-variant-numeric: tabular-nums; }
.name a[href] { color: inherit; text-decoration-thickness: 1.5px; text-underline-offset: .2em; text-decoration-color: var(--_muted); }
.name a[href]:hover { text-decoration-color: currentColor; }
.hint { color: var(--_muted); font-size: .9375rem; }
.hint:empty { display: none; }
.held { height: 6px; margin-block-start: .375rem; border-radius: 3px; background: var(--_ground); overflow: hidden; }
.held i { display: block; height: 100%; width: calc(var(--_held, 0) * 100%); background: var(--_strand-0); border-radius: 3px; }
.all { display: flex; flex-wrap: wrap; gap: .75rem; align-items: center; }
.question { flex: 1 1 16rem; font-weight: 600; }
button {
  font: inherit; font-weight: 600; min-height: 2.75rem; padding: .5rem 1.25rem; border-radius: 999px; cursor: pointer;
  color: var(--_ink); background: transparent; border: 1.5px solid var(--_line);
}
button:hover { border-color: var(--_muted); }
button[aria-disabled="true"] { color: var(--_muted); background: var(--_ground); border-color: transparent; cursor: default; }
.sure { color: var(--_error); border-color: var(--_error); }
:focus-visible { outline: 3px solid var(--_accent); outline-offset: 3px; border-radius: 6px; }
button:focus-visible { border-radius: 999px; }
.hidden { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@container (max-width: 460px) {
  .card { padding: 1.25rem; }
  .all button { flex: 1 1 auto; }
}
@media (forced-colors: active) {
  .held { border: 1px solid CanvasText; }
  .held i { background: Highlight; forced-color-adjust: none; }
  button[aria-disabled="true"] { color: GrayText; border-color: GrayText; }
}
`;
