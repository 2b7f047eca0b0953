/**
 * A developer's view of every state: `gallery.html` lists the scenes, `gallery.html?scene=…` shows one in the real
 * page. Nothing of it is shipped.
 */

import shell from '../../index.html?raw';
import keptShell from '../../kept.html?raw';
import { PleachDownload } from '../elements/pleach-download/pleach-download.component.js';
import { PleachKept, type KeptPlace } from '../elements/pleach-kept/pleach-kept.component.js';
import { PleachVideo } from '../elements/pleach-video/pleach-video.component.js';
import type { EnginePort } from '../engine/port.js';
import { decorate } from '../page/decorate.js';
import { FakeEngine } from '../testing/fake-engine.js';
import { TICK_MS } from '../store/store.js';
import { KEPT_SCENES, SCENES, type KeptScene } from './scenes.js';

const ID = '6f2e1a9c4b7d8035e1f6a2c49d0b83757ac1e5d2094f6b38c7a1d94e02f5b86d';

/** Time stands still, but for what a scene lets pass: the element's clock and its ticks are the gallery's. */
let nowMs = 0;
const ticks = new Set<() => void>();
performance.now = () => nowMs;
globalThis.setInterval = ((callback: () => void) => {
  ticks.add(callback);
  return callback;
}) as unknown as typeof setInterval;
globalThis.clearInterval = ((callback: () => void) => ticks.delete(callback)) as unknown as typeof clearInterval;

function pass(ms: number): void {
  for (const end = nowMs + ms; nowMs < end; ) {
    nowMs = Math.min(end, nowMs + TICK_MS);
    for (const tick of ticks) tick();
  }
}

class GalleryDownload extends PleachDownload {
  readonly engine = new FakeEngine();
  protected override createEngine(): EnginePort {
    return this.engine;
  }
}
customElements.define('pleach-download', GalleryDownload);

class GalleryVideo extends PleachVideo {
  readonly engine = new FakeEngine();
  protected override createEngine(): EnginePort {
    return this.engine;
  }
}
customElements.define('pleach-video', GalleryVideo);

let keptScene: KeptScene = { title: '', kept: [] };

class GalleryKept extends PleachKept {
  protected override get place(): KeptPlace {
    return { list: async () => keptScene.kept, remove: async () => false, quota: async () => 20e9 };
  }
}
customElements.define('pleach-kept', GalleryKept);

async function showKept(scene: KeptScene): Promise<void> {
  keptScene = scene;
  document.body.innerHTML = new DOMParser().parseFromString(keptShell, 'text/html').body.innerHTML;
  decorate();
  const kept = document.querySelector<GalleryKept>('pleach-kept');
  await kept?.refresh();
  if (scene.asking) kept?.shadowRoot?.querySelector<HTMLButtonElement>('.delete-all')?.click();
}

async function showScene(name: string): Promise<void> {
  const kept = KEPT_SCENES[name];
  if (kept) return showKept(kept);
  document.body.innerHTML = new DOMParser().parseFromString(shell, 'text/html').body.innerHTML;
  decorate();
  const download = document.querySelector<GalleryDownload>('pleach-download');
  const scene = SCENES[name];
  if (!scene) {
    document.querySelector('#landing')?.removeAttribute('hidden');
    document.querySelector('#download')?.setAttribute('hidden', '');
    return;
  }
  if (!download) return;
  const shown = scene.video ? new GalleryVideo() : download;
  if (shown !== download) download.replaceWith(shown);
  if (scene.upload) shown.setAttribute('upload', scene.upload);
  shown.src = `https://pleach.example/${ID}`;
  if (!scene.manual) shown.start();
  const root = shown.shadowRoot;
  await scene.play({
    engine: shown.engine,
    pass,
    press: () => root?.querySelector<HTMLButtonElement>('.main')?.click(),
    openPicture: () => root?.querySelector<HTMLDetailsElement>('.feeding')?.setAttribute('open', ''),
    pressNamed: (name) => namedButton(root, name)?.click(),
    search: (text) => {
      const input = root?.querySelector<HTMLInputElement>('.files-search input');
      if (!input) return;
      input.value = text;
      input.dispatchEvent(new Event('input'));
    },
    loaded: (selector) => loaded(() => root?.querySelector(selector) ?? null),
    settle: () => new Promise((resolve) => setTimeout(resolve)),
  });
}

function namedButton(root: ShadowRoot | null, name: string): HTMLButtonElement | undefined {
  const buttons = Array.from(root?.querySelectorAll('button') ?? []);
  return buttons.find((button) => !button.hidden && (button.ariaLabel ?? button.textContent) === name);
}

/** Until something is there, looked for in each frame. */
async function loaded(find: () => Element | null): Promise<void> {
  while (!find()) await new Promise(requestAnimationFrame);
}

function listScenes(): void {
  const list = document.createElement('ul');
  for (const [name, { title }] of [['landing', { title: 'Landing' }] as const, ...Object.entries(SCENES), ...Object.entries(KEPT_SCENES)]) {
    const link = document.createElement('a');
    link.href = `?scene=${name}`;
    link.textContent = title;
    const item = document.createElement('li');
    item.append(link);
    list.append(item);
  }
  document.body.append(list);
}

const scene = new URLSearchParams(location.search).get('scene');
if (scene === null) listScenes();
else await showScene(scene);
document.documentElement.dataset['ready'] = '';
