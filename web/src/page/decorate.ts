/** The landing page's ornament: a piece of the braid that the progress bar is made of. */

import { braidSvg } from '../elements/pleach-download/pleach-download.braid.js';

export function decorate(): void {
  const place = document.querySelector('.ornament');
  if (place) place.innerHTML = braidSvg('ornament', 26);
}
