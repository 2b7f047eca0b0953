/** How "Who feeds whom" looks. Nothing in it moves; see the component. */

export const PICTURE_CSS = `
.feeding[open] > summary { margin-block-end: .75rem; }
.picture-summary { font-weight: 600; font-size: .9375rem; margin-block-end: .5rem; }
.picture-note { color: var(--_muted); font-size: .8125rem; margin-block-start: .5rem; }
.picture-note:empty { display: none; }
.drawing svg { display: block; max-width: 100%; height: auto; font-size: 10.5px; font-variant-numeric: tabular-nums; }
.drawing path, .key path { fill: none; }
.edges { stroke: var(--_muted); stroke-width: .9; opacity: .45; }
.edges.far { opacity: .16; }
.own { stroke-width: 2; stroke-linecap: butt; }
.own.down { stroke: var(--_strand-0); }
.own.up { stroke: var(--_strand-2); stroke-dasharray: 7 2; }
.own.spare { stroke: var(--_muted); stroke-dasharray: 1.5 4; }
.drawing .head { stroke: none; }
.head.down { fill: var(--_strand-0); }
.head.up { fill: var(--_strand-2); }
.ring { fill: var(--_surface); stroke: var(--_muted); stroke-width: 1.25; }
.plate { fill: var(--_surface); opacity: .86; }
.held { fill: var(--_muted); }
.other .ring { stroke-width: 1; }
.neighbour .ring { stroke: var(--_ink); stroke-width: 1.5; }
.neighbour .held { fill: var(--_line); }
.me .ring { fill: var(--_accent); stroke: var(--_surface); stroke-width: 2; }
.drawing text { text-anchor: middle; fill: var(--_ink); }
.drawing .name { font-weight: 700; font-size: 10.5px; }
.me .name { fill: var(--_on-accent); font-size: 12px; }
.drawing .rate { font-weight: 600; }
.key { display: flex; flex-wrap: wrap; gap: .125rem 1rem; margin-block: .75rem .5rem; color: var(--_muted); font-size: .8125rem; }
.key li { display: inline-flex; align-items: center; gap: .375rem; }
.key svg { flex: none; height: 1.125rem; }
.neighbours { overflow-x: auto; border-radius: 6px; }
.neighbours table { width: 100%; border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
.neighbours th, .neighbours td { padding: .3125rem .5rem; text-align: start; font-weight: 400; border-block-start: 1px solid var(--_line); }
.neighbours thead th { color: var(--_muted); font-size: .8125rem; border-block-start: 0; vertical-align: bottom; }
.neighbours thead td { border-block-start: 0; }
.neighbours th:nth-child(n+4), .neighbours .figure { text-align: end; white-space: nowrap; }
.neighbours tbody th { font-weight: 600; overflow-wrap: anywhere; }
.neighbours .number { font-weight: 700; text-align: end; padding-inline-start: 0; }
.neighbours .relation { color: var(--_muted); }
@container (max-width: 460px) {
  .neighbours table { font-size: .75rem; }
  .neighbours thead th { font-size: .6875rem; }
  .neighbours th, .neighbours td { padding-inline: .1875rem; }
  .neighbours th:last-child, .neighbours td:last-child { padding-inline-end: 0; }
  .neighbours .figure { font-size: .6875rem; }
}
@media (forced-colors: active) {
  .edges, .own.spare { stroke: GrayText; }
  .own.down, .own.up { stroke: CanvasText; }
  .head { fill: CanvasText; }
  .drawing .ring { fill: Canvas; stroke: CanvasText; }
  .drawing .held { fill: GrayText; }
  .me .ring { fill: Highlight; }
  .me .name { fill: HighlightText; }
}`;
