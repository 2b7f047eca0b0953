/** The pictures of the element: line drawings on a grid of 24, in the colour of the text. */

import type { FileKind } from '../../store/words.js';

const svg = (inside: string): string =>
  `<svg viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">${inside}</svg>`;

const SHEET = '<path d="M6 3h8l4 4v14H6z"/><path d="M14 3v4h4"/>';

export const KIND_ICONS: Record<FileKind, string> = {
  folder: svg('<path d="M3 6.5A1.5 1.5 0 0 1 4.5 5h4l2.2 2.5h8.8A1.5 1.5 0 0 1 21 9v8.5a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 17.5z"/>'),
  video: svg('<rect x="3" y="5" width="18" height="14" rx="2.5"/><path d="m10.2 9.3 4.6 2.7-4.6 2.7z"/>'),
  audio: svg('<path d="M9 17.5V6l10-2v11.5"/><circle cx="6.5" cy="17.5" r="2.5"/><circle cx="16.5" cy="15.5" r="2.5"/>'),
  image: svg('<rect x="3" y="4" width="18" height="16" rx="2.5"/><circle cx="8.5" cy="9.5" r="1.7"/><path d="m4 18 5.5-5 4 3.5 2.5-2L20.5 18"/>'),
  text: svg(`${SHEET}<path d="M9 11.5h6M9 14.5h6M9 17.5h3.5"/>`),
  archive: svg('<path d="M4 8h16v12H4z"/><path d="M5.5 4h13L20 8H4z"/><path d="M10 12h4"/>'),
  program: svg('<rect x="3" y="4" width="18" height="16" rx="2.5"/><path d="m7 9 3 3-3 3M12.5 15H17"/>'),
  other: svg(SHEET),
};

export const TICK_ICON = svg('<path d="m5 12.5 4.5 4.5L19 7.5"/>');

export const NOTICE_ICONS = {
  info: svg('<circle cx="12" cy="12" r="9"/><path d="M12 11v5.5M12 7.6v.1"/>'),
  warning: svg('<path d="M12 4 21 19.5H3z"/><path d="M12 10v4.5M12 17v.1"/>'),
  error: svg('<circle cx="12" cy="12" r="9"/><path d="M12 7v6M12 16.3v.1"/>'),
  success: svg('<circle cx="12" cy="12" r="9"/><path d="m8 12.3 2.8 2.8L16 9.5"/>'),
} as const;

/** The tip of the braid: two young leaves. */
export const TIP = `<svg class="tip" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false">
  <path class="leaf" d="M3 12.5C5.5 5 12 3.5 17 4.5 16 10 10.5 14 3 12.5z"/>
  <path class="leaf leaf-2" d="M3 12.5c6.5-1.5 11.5 1 14.5 6C12 20.5 6 18.5 3 12.5z"/>
</svg>`;
