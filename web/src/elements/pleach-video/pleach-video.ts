/** Defines `<pleach-video>` with the real engine. */

import { pageParts } from '../../engine/parts.js';
import { PleachEngine } from '../../engine/pleach-engine.js';
import type { EnginePort } from '../../engine/port.js';
import { PleachVideo } from './pleach-video.component.js';

export class PleachVideoElement extends PleachVideo {
  protected override createEngine(): EnginePort {
    return new PleachEngine(pageParts());
  }
}

if (!customElements.get('pleach-video')) customElements.define('pleach-video', PleachVideoElement);

declare global {
  interface HTMLElementTagNameMap {
    'pleach-video': PleachVideoElement;
  }
}
