// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EnginePort } from '../../engine/port.js';
import { TICK_MS } from '../../store/store.js';
import { FAKE_CONTENT, fakeFolder, FakeEngine } from '../../testing/fake-engine.js';
import { PleachVideo } from './pleach-video.component.js';

const SOURCE = `https://pleach.example/${FAKE_CONTENT.id}#m1.x`;

class TestVideo extends PleachVideo {
  readonly engine = new FakeEngine();
  protected override createEngine(): EnginePort {
    return this.engine;
  }
}
customElements.define('pleach-video', TestVideo);

let element: TestVideo;

function add(attributes: Record<string, string>): void {
  element = new TestVideo();
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  document.body.append(element);
}

const find = (selector: string): HTMLElement => element.shadowRoot?.querySelector(selector) as HTMLElement;
const word = (): string => find('.word').textContent ?? '';

function come(share: number, content = FAKE_CONTENT): void {
  element.engine.say({ type: 'content', content });
  element.engine.count({ phase: 'downloading', haveBytes: share * content.sizeBytes });
  vi.advanceTimersByTime(TICK_MS);
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(HTMLMediaElement.prototype, 'play').mockResolvedValue();
  vi.spyOn(URL, 'createObjectURL').mockReturnValue('blob:video');
});
afterEach(() => {
  element.remove();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

it('begins at the press of its button, or by itself', () => {
  add({ src: SOURCE });
  expect(element.state).toBe('idle');
  expect(find('.begin').getAttribute('aria-label')).toBe('Play Shared file');
  find('.begin').click();
  expect(element.state).toBe('opening');
  expect(find('.begin').hidden).toBe(true);
  expect(word()).toBe('Opening the link');
  element.remove();
  add({ src: SOURCE, autoplay: '', muted: '' });
  expect(element.state).toBe('opening');
  expect(element.video.muted).toBe(true);
});

describe('where there is no service worker', () => {
  beforeEach(async () => {
    add({ src: SOURCE, autoplay: '', controls: '' });
    come(0.2);
    await vi.waitFor(() => expect(element.hasAttribute('waits-for-all')).toBe(true));
  });

  it('says that it waits for all, and how far it is', () => {
    come(0.42);
    expect(word()).toMatch(/^It opens by itself when everything is here, because .* 42%$/);
  });

  it('plays the stored file once all is here', async () => {
    element.engine.onFile = async () => new Blob(['film']);
    element.engine.say({ type: 'complete' });
    await vi.waitFor(() => expect(element.video.getAttribute('src')).toBe('blob:video'));
    await vi.waitFor(() => expect(element.hasAttribute('waits-for-all')).toBe(false));
    expect(element.video.hidden).toBe(false);
    expect(element.video.controls).toBe(true);
    expect(word()).toBe('');
  });
});

it('plays the file that is named', async () => {
  const onFile = vi.fn(async () => new Blob());
  add({ src: SOURCE, autoplay: '', file: 'b/two.webm' });
  element.engine.onFile = onFile;
  come(0.5, fakeFolder('Films', [['notes.txt', 1], ['a/one.mp4', 10], ['b/two.webm', 10]]));
  element.engine.say({ type: 'complete' });
  await vi.waitFor(() => expect(onFile).toHaveBeenCalledWith(2));
});

it('says so where there is no video', async () => {
  add({ src: SOURCE, autoplay: '' });
  come(0.5, fakeFolder('Texts', [['a.txt', 1], ['b.txt', 10]]));
  expect(word()).toMatch(/^There is no video here/);
});

it('says what went wrong, and tries again', () => {
  add({ src: SOURCE, autoplay: '' });
  element.engine.say({ type: 'failed', problem: { kind: 'not-found', detail: '404' } });
  expect(word()).toMatch(/^Nobody is sharing this any more/);
  expect(find('.begin').hidden).toBe(false);
  expect(find('.begin').getAttribute('aria-label')).toBe('Try again');
  find('.begin').click();
  expect(element.state).toBe('opening');
});
