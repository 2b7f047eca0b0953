/** Colours, fonts and resets of the elements that are cards; light or dark as the page is. */

export const THEME_CSS = `
:host {
  --_surface: var(--pleach-surface, #fffdf8);
  --_ground: var(--pleach-ground, #f3f0e6);
  --_ink: var(--pleach-ink, #1d2a22);
  --_muted: var(--pleach-muted, #566259);
  --_line: var(--pleach-line, #dcd6c6);
  --_accent: var(--pleach-accent, #2b6a45);
  --_on-accent: var(--pleach-on-accent, #ffffff);
  --_strand-0: var(--pleach-strand-1, #2b6a45);
  --_strand-1: var(--pleach-strand-2, #8aa644);
  --_strand-2: var(--pleach-strand-3, #c08a3e);
  --_warning: #7a4b00;
  --_warning-ground: #fbf0d6;
  --_error: #93261f;
  --_error-ground: #fbe8e3;
  --_success: #22603c;
  --_success-ground: #e4f0df;
  --_radius: var(--pleach-radius, 18px);
  --_display: var(--pleach-font-display, ui-serif, "Iowan Old Style", "Palatino Linotype", Palatino, "Book Antiqua", Georgia, serif);

  display: block;
  container-type: inline-size;
  color: var(--_ink);
  font: 400 1rem/1.5 var(--pleach-font, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif);
  text-align: start;
}
@supports (color: light-dark(#000, #fff)) {
  :host {
    --_surface: var(--pleach-surface, light-dark(#fffdf8, #19211c));
    --_ground: var(--pleach-ground, light-dark(#f3f0e6, #222b25));
    --_ink: var(--pleach-ink, light-dark(#1d2a22, #eaf0e8));
    --_muted: var(--pleach-muted, light-dark(#566259, #a6b3a9));
    --_line: var(--pleach-line, light-dark(#dcd6c6, #37423b));
    --_accent: var(--pleach-accent, light-dark(#2b6a45, #8fd3a4));
    --_on-accent: var(--pleach-on-accent, light-dark(#ffffff, #0d1a12));
    --_strand-0: var(--pleach-strand-1, light-dark(#2b6a45, #6fbd88));
    --_strand-1: var(--pleach-strand-2, light-dark(#8aa644, #b9cf76));
    --_strand-2: var(--pleach-strand-3, light-dark(#c08a3e, #d8a65c));
    --_warning: light-dark(#7a4b00, #f0c877);
    --_warning-ground: light-dark(#fbf0d6, #352c18);
    --_error: light-dark(#93261f, #f4a79b);
    --_error-ground: light-dark(#fbe8e3, #3a211d);
    --_success: light-dark(#22603c, #9cd9ae);
    --_success-ground: light-dark(#e4f0df, #1d3325);
  }
}
:host([hidden]), [hidden] { display: none !important; }
*, *::before, *::after { box-sizing: border-box; }
h2, h3, p, ul, dl, dd { margin: 0; padding: 0; }
ul { list-style: none; }
`;
