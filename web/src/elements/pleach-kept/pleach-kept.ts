/** Defines `<pleach-kept>` for what this page's origin keeps. */

import { listKept, quotaOf, removeKept } from '../../storage/kept.js';
import { OpfsStore } from '../../storage/opfs-store.js';
import { estimateSpace } from '../../storage/store.js';
import { PleachKept, type KeptPlace } from './pleach-kept.component.js';

const PLACE: KeptPlace = {
  list: async () => (OpfsStore.isSupported() ? listKept() : null),
  remove: removeKept,
  quota: async (wantedBytes) => quotaOf(wantedBytes, await estimateSpace()),
};

export class PleachKeptElement extends PleachKept {
  protected override get place(): KeptPlace {
    return PLACE;
  }
}

if (!customElements.get('pleach-kept')) customElements.define('pleach-kept', PleachKeptElement);

declare global {
  interface HTMLElementTagNameMap {
    'pleach-kept': PleachKeptElement;
  }
}
