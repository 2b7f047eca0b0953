/**
 * How the element looks. Colours follow the page's `color-scheme`, so that a page that is light for everybody gets no
 * dark box in it. All that a page may want to change is a custom property or a part.
 */

import { THEME_CSS } from '../theme.js';
import { PICTURE_CSS } from './pleach-download.picture-styles.js';

export const CSS = `
${THEME_CSS}
/* What is too wide scrolls in its own box and does not widen the card. */
.card, .more { grid-template-columns: minmax(0, 1fr); }
.card {
  display: grid;
  gap: 1.5rem;
  padding: 2rem;
  background: var(--_surface);
  border: 1px solid var(--_line);
  border-radius: var(--_radius);
}

.head { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 0 1rem; align-items: center; }
.icon {
  display: grid; place-items: center; width: 3rem; height: 3rem;
  color: var(--_accent); background: var(--_ground); border-radius: 12px;
}
.icon ::slotted(*), .icon svg { width: 1.625rem; height: 1.625rem; }
.name {
  font-size: 1.1875rem; font-weight: 600; line-height: 1.35; overflow-wrap: anywhere;
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 3; line-clamp: 3; overflow: hidden;
}
.about { color: var(--_muted); font-size: .9375rem; }

.meter { display: grid; gap: .625rem; }
.figures { display: flex; flex-wrap: wrap; align-items: baseline; justify-content: space-between; gap: 0 1rem; }
.percent {
  font: 400 3.75rem/1 var(--_display);
  font-variant-numeric: lining-nums tabular-nums; letter-spacing: -.02em;
}
.status { display: flex; flex-wrap: wrap; gap: 0 .75rem; align-items: baseline; font-size: 1.0625rem; }
.headline { font-weight: 600; }
.time:empty { display: none; }
.time { color: var(--_muted); font-variant-numeric: tabular-nums; }
.figures.wordy .headline { font: 400 2rem/1.25 var(--_display); letter-spacing: -.01em; }

.bar { position: relative; height: 26px; --_progress: 0; }
.bar-track, .bar-fill { position: absolute; inset-block: 0; inset-inline-start: 0; overflow: hidden; border-radius: 4px; }
.bar-track { inset-inline-end: 0; }
/* No transition: one that is begun anew at each tick never rests, and 60 paintings of the braid a second, where no
   graphics processor does them, were three tenths of all processor time of a transfer between two pages. */
.bar-fill { width: calc(var(--_progress) * 100%); }
.braid { display: block; width: 100%; }
/* A fixed width, so that the pattern stays in place while the fill grows over the track. */
.bar-fill .braid { width: 100cqi; }
.braid path { fill: none; stroke-width: 4.5; }
.braid .casing { stroke: var(--_surface); stroke-width: 8; }
.bar-track .strand { stroke: var(--_line); }
.bar-fill .strand-0 { stroke: var(--_strand-0); }
.bar-fill .strand-1 { stroke: var(--_strand-1); }
.bar-fill .strand-2 { stroke: var(--_strand-2); }
.tip-place {
  position: absolute; inset-block-start: 50%; inset-inline-start: calc(var(--_progress) * 100%); opacity: 0;
}
.tip { display: block; width: 30px; height: 30px; margin: -15px 0 0 -8px; }
.leaf { fill: var(--_strand-1); stroke: var(--_surface); stroke-width: 1.5; }
.leaf-2 { fill: var(--_strand-0); }
:host([state="downloading"]) .tip-place, :host([state="searching"]) .tip-place, :host([state="checking"]) .tip-place { opacity: 1; }
.bar.unknown .tip-place { opacity: 0; }
:host([state="failed"]) .bar-fill, :host([state="stopped"]) .bar-fill { filter: saturate(.35); }

@keyframes drift { to { transform: translateX(66px); } }
.bar.moving .bar-track .braid { width: calc(100% + 66px); margin-inline-start: -66px; animation: drift 2.8s linear infinite; }
.facts { display: flex; flex-wrap: wrap; color: var(--_muted); font-size: .9375rem; font-variant-numeric: tabular-nums; }
.facts:empty { display: none; }
.facts li:not(:last-child)::after { content: "·"; margin-inline: .5em; }
.facts .tick { display: inline-flex; align-items: center; gap: .25em; color: var(--_success); font-weight: 600; }
.tick svg { width: 1.125rem; height: 1.125rem; stroke-width: 2.2; }

.notices { display: grid; gap: .625rem; }
.notices:empty { display: none; }
.notice {
  display: grid; grid-template-columns: auto minmax(0, 1fr); gap: .125rem .75rem; padding: .75rem .9375rem;
  border-radius: 12px; font-size: .9375rem; background: var(--_ground); border: 1px solid transparent;
}
.notice svg { width: 1.375rem; height: 1.375rem; color: var(--_tone); }
.notice .picture { grid-row: 1 / span 3; }
.notice > :not(.picture) { grid-column: 2; }
.notice .title { font-weight: 600; color: var(--_tone); }
.notice .detail { color: var(--_muted); font-size: .8125rem; overflow-wrap: anywhere; }
.notice.info { --_tone: var(--_ink); }
.notice.warning { --_tone: var(--_warning); background: var(--_warning-ground); }
.notice.error { --_tone: var(--_error); background: var(--_error-ground); }
.notice.success { --_tone: var(--_success); background: var(--_success-ground); }

.actions { display: flex; flex-wrap: wrap; gap: .75rem; align-items: center; }
button {
  font: inherit; font-weight: 600; min-height: 2.875rem; padding: .5rem 1.375rem; border-radius: 999px; cursor: pointer;
  color: var(--_ink); background: transparent; border: 1.5px solid var(--_line);
}
button:hover { border-color: var(--_muted); }
.main { color: var(--_on-accent); background: var(--_accent); border-color: var(--_accent); }
.main:hover { background: color-mix(in srgb, var(--_accent) 86%, var(--_ink)); border-color: transparent; }
.main[aria-disabled="true"] { color: var(--_muted); background: var(--_ground); border-color: transparent; cursor: default; }
.hint { color: var(--_muted); font-size: .875rem; flex: 1 1 12rem; }
:focus-visible { outline: 3px solid var(--_accent); outline-offset: 3px; border-radius: 6px; }
button:focus-visible { border-radius: 999px; }

.more { display: grid; gap: 1.25rem; padding-block-start: 1.25rem; border-block-start: 1px solid var(--_line); }
h3 { font-size: .875rem; font-weight: 600; color: var(--_muted); margin-block-end: .5rem; }
.peers { display: grid; gap: .5rem; }
.peer { display: grid; grid-template-columns: minmax(0, 1fr) 6.5rem 5.5rem; gap: 0 1rem; align-items: center; font-size: .9375rem; }
.peer .who { display: flex; flex-wrap: wrap; gap: 0 .5rem; align-items: baseline; min-width: 0; }
.peer .program { font-weight: 600; overflow-wrap: anywhere; }
.peer .role, .peer .carried { color: var(--_muted); font-size: .875rem; }
.peer .share { height: 6px; border-radius: 3px; background: var(--_ground); overflow: hidden; }
.peer .share.none { visibility: hidden; }
.peer .share i { display: block; height: 100%; width: calc(var(--_share, 0) * 100%); background: var(--_strand-0); border-radius: 3px; }
.peer .speed { text-align: end; font-variant-numeric: tabular-nums; white-space: nowrap; }
.peers-rest { color: var(--_muted); font-size: .875rem; margin-block-start: .5rem; }

.upload { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: center; justify-content: space-between; font-size: .9375rem; }
.switch { display: inline-flex; align-items: center; gap: .625rem; cursor: pointer; font-weight: 600; min-height: 2rem; }
.switch input {
  appearance: none; position: relative; flex: none; width: 2.75rem; height: 1.5rem; margin: 0; border-radius: 999px; cursor: pointer;
  background: var(--_muted); transition: background .15s;
}
.switch input::after {
  content: ""; position: absolute; inset: 3px auto 3px 3px; aspect-ratio: 1; border-radius: 50%; background: var(--_surface); transition: transform .15s;
}
.switch input:checked { background: var(--_accent); }
.switch input:checked::after { transform: translateX(1.25rem); }
.switch input:focus-visible { border-radius: 999px; }

summary { cursor: pointer; font-size: .9375rem; color: var(--_muted); width: fit-content; }
summary:hover { color: var(--_ink); }
.about-it { display: grid; gap: .625rem; margin-block-start: .875rem; font-size: .875rem; }
.about-it dt { color: var(--_muted); }
.about-it dd { overflow-wrap: anywhere; }
.id { font-family: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, monospace; font-size: .8125rem; }
${PICTURE_CSS}
.hidden { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

@container (max-width: 460px) {
  .card { padding: 1.25rem; gap: 1.25rem; }
  .head { gap: 0 .75rem; }
  .icon { width: 2.5rem; height: 2.5rem; align-self: start; }
  .name { font-size: 1.0625rem; }
  .percent { font-size: 3rem; }
  .figures.wordy .headline { font-size: 1.5rem; }
  .actions button { flex: 1 1 auto; }
  .hint { flex-basis: 100%; text-align: center; }
  .peer { grid-template-columns: minmax(0, 1fr) 5.5rem; gap: .25rem .75rem; }
  .peer .share { grid-column: 1 / -1; grid-row: 2; }
  .peer .share.none { display: none; }
}
@media (prefers-reduced-motion: reduce) {
  *, *::before, *::after { animation: none !important; transition: none !important; }
}
@media (forced-colors: active) {
  .bar { border: 1px solid CanvasText; }
  .bar svg { display: none; }
  .bar-fill { background: Highlight; forced-color-adjust: none; }
  .notice, .icon { border: 1px solid CanvasText; }
  .main[aria-disabled="true"] { color: GrayText; border-color: GrayText; }
  .peer .share { border: 1px solid CanvasText; }
  .peer .share.none { visibility: hidden; }
.peer .share i { background: Highlight; forced-color-adjust: none; }
  .switch input { border: 1px solid ButtonText; background: ButtonFace; forced-color-adjust: none; }
  .switch input::after { background: ButtonText; }
  .switch input:checked { background: Highlight; }
}
`;
