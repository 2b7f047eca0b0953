/** Defines `<pleach-download>` with the real engine. */

import { pageParts } from '../../engine/parts.js';
import { PleachEngine } from '../../engine/pleach-engine.js';
import type { EnginePort } from '../../engine/port.js';
import type { PleachEventMap } from '../download-element.js';
import { PleachDownload } from './pleach-download.component.js';

export class PleachDownloadElement extends PleachDownload {
  protected override createEngine(): EnginePort {
    return new PleachEngine(pageParts());
  }
}

if (!customElements.get('pleach-download')) customElements.define('pleach-download', PleachDownloadElement);

declare global {
  interface HTMLElementTagNameMap {
    'pleach-download': PleachDownloadElement;
  }
  interface HTMLElementEventMap extends PleachEventMap {}
}
