/** What a site includes: `<script type="module" src="https://TRACKER/pleach.js">`. Defines the elements, exports the rest. */

import { pageParts } from './engine/parts.js';
import { PleachEngine } from './engine/pleach-engine.js';
import { createDownloadStore, type DownloadStore, type StoreOptions } from './store/store.js';

/** A download without an element, for those who show it in their own way. */
export function createDownload(options: Omit<StoreOptions, 'createEngine'> = {}): DownloadStore {
  return createDownloadStore({ ...options, createEngine: () => new PleachEngine(pageParts()) });
}

export { PleachDownloadElement } from './elements/pleach-download/pleach-download.js';
export { PleachVideoElement } from './elements/pleach-video/pleach-video.js';
export { PleachKeptElement } from './elements/pleach-kept/pleach-kept.js';
export { listKept, removeKept, type KeptContent } from './storage/kept.js';
export type {
  PleachCompleteEvent,
  PleachDescriptorEvent,
  PleachErrorEvent,
  PleachEventMap,
  PleachPeersEvent,
  PleachProgressEvent,
  PleachStateChangeEvent,
} from './elements/download-element.js';
export type { ContentFile, ContentInfo, Problem, ProblemKind } from './engine/port.js';
export type { DownloadPhase, DownloadState, FileSave, LinkedPeer, Stall, TrackerState, UploadSetting } from './store/state.js';
export type { DownloadCommand, DownloadStore } from './store/store.js';
