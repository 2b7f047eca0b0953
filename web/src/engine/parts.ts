/** What the real engine is made of in a page: wasm, the device's storage, the network. */

import { MemoryStore } from '../storage/memory-store.js';
import { untilFree } from '../storage/content-lock.js';
import { OpfsStore } from '../storage/opfs-store.js';
import { save, saveFolder } from '../storage/save.js';
import { StoreError, type OpenedStore, type StorePlace } from '../storage/store.js';
import storeWorkerUrl from '../storage/store-worker.ts?worker&url';
import { pauseUntilOnline } from './manifest.js';
import type { PackedContent } from '../packing/packed-content.js';
import type { Secrets } from '../packing/protocol.js';
import type { EngineModule, EngineParts } from './pleach-engine.js';
import { canConnectIn, missingIn } from './problems.js';

let loading: Promise<EngineModule> | undefined;

/** Loaded once a page, and only when it is needed; tried again after a failure. */
function loadModule(): Promise<EngineModule> {
  loading ??= import('../../pkg/pleach_browser.js')
    .then(async (module) => {
      await module.default({ module_or_path: new URL('../../pkg/pleach_browser_bg.wasm', import.meta.url) });
      return module;
    })
    .catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
  return loading;
}

/** On the device; in memory where the page has no such place. */
async function openStore(place: StorePlace): Promise<OpenedStore> {
  try {
    return await OpfsStore.open({ ...place, workerUrl: storeWorkerUrl });
  } catch (error) {
    if (error instanceof StoreError && error.code === 'unsupported') return MemoryStore.open(place);
    throw error;
  }
}

/** Loaded only for packed content. */
async function openPacked(manifest: Uint8Array, secrets: Secrets): Promise<PackedContent> {
  const packing = await import('../packing/packed-content.js');
  return packing.openPacked(manifest, secrets);
}

export function pageParts(): EngineParts {
  return {
    missing: () => missingIn(globalThis),
    canConnect: () => canConnectIn(globalThis),
    loadModule,
    openStore,
    untilFree,
    openPacked,
    page: () => location.pathname + location.search + location.hash,
    save,
    saveFolder,
    fetch: (input, init) => fetch(input, init),
    pause: pauseUntilOnline,
    now: () => Date.now(),
    navigator,
    network: globalThis,
  };
}
