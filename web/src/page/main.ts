/** The page: at `/` a place to paste a link, at `/<content id>` the download, full size. */

import '../elements/pleach-download/pleach-download.js';
import { decorate } from './decorate.js';
import { formatPercent } from '../store/format.js';
import { displayName } from '../store/names.js';
import { linkInText, linkOfAddress } from './link.js';

const TITLE = 'Pleach';

function byId<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

const landing = byId('landing');
const downloadView = byId('download');
const download = document.querySelector('pleach-download');

function showAddress(): void {
  const link = linkOfAddress(location.href);
  landing.hidden = link !== null;
  downloadView.hidden = link === null;
  document.title = TITLE;
  if (link !== null) {
    if (download) download.src = link;
    download?.start();
  }
}

/** The title tells how far it is, for those who look elsewhere meanwhile. */
function showTitle(): void {
  if (!download) return;
  const { state, progress } = download;
  const name = download.fileName === '' ? '' : ` · ${displayName(download.fileName)}`;
  const titles: Partial<Record<typeof state, string>> = {
    checking: `${formatPercent(progress)}${name}`,
    searching: `${formatPercent(progress)}${name}`,
    downloading: `${formatPercent(progress)}${name}`,
    complete: `✓ Complete${name}`,
    saving: `Saving${name}`,
    saved: `✓ Saved${name}`,
    failed: `Problem${name}`,
    stopped: `Stopped${name}`,
  };
  document.title = `${titles[state] ?? `Opening${name}`} – ${TITLE}`;
}

byId<HTMLFormElement>('paste').addEventListener('submit', (event) => {
  event.preventDefault();
  const input = byId<HTMLInputElement>('link');
  const link = linkInText(input.value);
  input.setAttribute('aria-invalid', String(link === null));
  byId('link-problem').textContent =
    link === null ? 'This is no Pleach link: it ends in 64 letters and digits, often with more after a #.' : '';
  if (link === null) input.focus();
  else location.assign(link);
});

download?.addEventListener('pleach-statechange', showTitle);
download?.addEventListener('pleach-progress', showTitle);
// A link to the same page with another fragment does not load it again.
addEventListener('hashchange', () => location.reload());
decorate();
showAddress();
