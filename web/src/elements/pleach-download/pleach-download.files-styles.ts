/** How the list of files looks. */

export const FILES_CSS = `
.files-head { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; margin-block-end: .5rem; }
.files-head h3 { margin: 0; }
.files-summary { color: var(--_muted); font-size: .875rem; font-variant-numeric: tabular-nums; flex: 1 1 8rem; }
.files-search input {
  font: inherit; font-size: .9375rem; width: 14rem; max-width: 100%; min-height: 2.25rem; padding: 0 .875rem; border-radius: 999px;
  color: var(--_ink); background: var(--_surface); border: 1.5px solid var(--_line);
}
.files-search input::placeholder { color: var(--_muted); opacity: 1; }
.files-search input:focus-visible { border-radius: 999px; }
.file {
  display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: 0 .75rem; align-items: center; padding-block: .5rem;
  border-block-start: 1px solid var(--_line);
}
.file-folder { grid-column: 1 / -1; padding-block: .5rem .375rem; color: var(--_muted); font-size: .875rem; font-weight: 600; overflow-wrap: anywhere; }
.file-icon { display: grid; color: var(--_muted); }
.file-icon svg { width: 1.375rem; height: 1.375rem; }
.file[data-tone="here"] .file-icon { color: var(--_success); }
.file-name { display: block; text-align: -webkit-match-parent; text-align: match-parent; font-size: .9375rem; font-weight: 600; line-height: 1.35; overflow-wrap: anywhere; }
.file-about { display: flex; flex-wrap: wrap; color: var(--_muted); font-size: .875rem; font-variant-numeric: tabular-nums; }
.file-size::after { content: "·"; margin-inline: .5em; }
.file[data-tone="here"] .file-status { color: var(--_success); }
.file[data-tone="failed"] .file-status { color: var(--_error); overflow-wrap: anywhere; }
.file-share { grid-column: 2 / -1; grid-row: 3; height: 4px; margin-block-start: .375rem; border-radius: 2px; background: var(--_ground); overflow: hidden; }
.file-share i { display: block; height: 100%; width: calc(var(--_share, 0) * 100%); background: var(--_strand-0); }
.file-buttons { display: flex; gap: .375rem; }
.quiet { min-height: 2.25rem; padding: .125rem .875rem; font-size: .9375rem; }
.file-open { color: var(--_accent); border-color: currentColor; }
.quiet[aria-disabled="true"] { color: var(--_muted); border-color: transparent; background: var(--_ground); cursor: default; }
.files-pages { display: flex; gap: .75rem; align-items: center; justify-content: space-between; padding-block-start: .75rem; border-block-start: 1px solid var(--_line); }
.files-span { color: var(--_muted); font-size: .875rem; font-variant-numeric: tabular-nums; }
@container (max-width: 460px) {
  .files-search, .files-search input { width: 100%; }
  .file { grid-template-columns: auto minmax(0, 1fr); }
  .file-buttons { grid-column: 2; margin-block-start: .375rem; }
  .file-share { grid-row: auto; order: 1; }
  .file-buttons { order: 2; }
}
@media (forced-colors: active) {
  .file-share { border: 1px solid CanvasText; }
  .file-share i { background: Highlight; forced-color-adjust: none; }
  .quiet[aria-disabled="true"] { color: GrayText; border-color: GrayText; }
}
`;
