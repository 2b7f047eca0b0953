// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EnginePort } from '../../engine/port.js';
import { TICK_MS } from '../../store/store.js';
import { FAKE_CONTENT, FakeEngine, fakeLink } from '../../testing/fake-engine.js';
import { parseUpload } from '../download-element.js';
import { PleachDownload } from './pleach-download.component.js';

const SOURCE = `https://pleach.example/${FAKE_CONTENT.id}#m1.x`;

class TestDownload extends PleachDownload {
  readonly engines: FakeEngine[] = [];
  get engine(): FakeEngine {
    return this.engines.at(-1) as FakeEngine;
  }
  protected override createEngine(): EnginePort {
    this.engines.push(new FakeEngine());
    return this.engine;
  }
}
customElements.define('pleach-download', TestDownload);

let download: TestDownload;

function add(attributes: Record<string, string>): void {
  download = new TestDownload();
  for (const [name, value] of Object.entries(attributes)) download.setAttribute(name, value);
  document.body.append(download);
}

const find = (selector: string): HTMLElement => download.shadowRoot?.querySelector(selector) as HTMLElement;
const text = (selector: string): string => find(selector).textContent?.trim() ?? '';
const pass = (): unknown => vi.advanceTimersByTime(TICK_MS);

function run(share: number): void {
  add({ src: SOURCE, autostart: '' });
  download.engine.say({ type: 'content', content: FAKE_CONTENT });
  download.engine.count({ phase: 'downloading', haveBytes: share * FAKE_CONTENT.sizeBytes, downBytesPerS: 5_000_000, links: [fakeLink({ link: 1, receivedBytes: 9, downBytesPerS: 5_000_000 })] });
  pass();
}

function finish(): void {
  run(0.9);
  download.engine.say({ type: 'complete' });
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  download.remove();
  vi.useRealTimers();
});

describe('attributes', () => {
  it('starts at once, or at the press of the button', () => {
    add({ src: SOURCE });
    expect(download.state).toBe('idle');
    find('.main').click();
    expect(download.state).toBe('opening');
    expect(download.engine.source).toBe(SOURCE);
    download.remove();
    add({ src: SOURCE, autostart: '' });
    expect(download.state).toBe('opening');
  });

  it('begins anew with another source', async () => {
    run(0.5);
    const former = download.engine;
    download.src = SOURCE.replace('m1.x', 'm1.y');
    expect(former.disposed).toBe(true);
    expect(download.engine.source).toMatch(/m1\.y$/);
    expect(download.progress).toBe(0);
  });

  it.each([
    [null, false, true, null],
    [null, true, false, null],
    ['on', true, true, null],
    ['off', false, false, null],
    ['500k', false, true, 500_000],
    ['0k', false, false, null],
    ['much', false, true, null],
  ])('upload=%j with saveData %s', (value, saveData, allowed, limitBytesPerS) => {
    expect(parseUpload(value, saveData)).toEqual({ allowed, limitBytesPerS });
  });

  it('tells which web servers have it too, and what they may give', () => {
    const source = 'film.mp4?v=2  https://other.example/film.mp4 ftp://old.example/film.mp4 http://[ ';
    add({ src: SOURCE, autostart: '', source, 'source-limit': '2MB' });
    const sources = [new URL('film.mp4?v=2', document.baseURI).href, 'https://other.example/film.mp4'];
    expect(download.engine.options?.web).toEqual({ sources, limitBytesPerS: 2_000_000 });
    download.remove();
    add({ src: SOURCE, autostart: '' });
    expect(download.engine.options?.web).toEqual({ sources: [], limitBytesPerS: null });
  });

  it('shows the name that the page gives', () => {
    add({ src: SOURCE, autostart: '', name: 'The film' });
    expect(text('.name')).toBe('The film');
  });
});

describe('what is shown', () => {
  it('is how far it is', () => {
    run(0.42);
    expect(text('.name')).toBe(FAKE_CONTENT.name);
    expect(text('.percent')).toBe('42%');
    expect(text('.facts')).toMatch(/596 MB of 1.4 GB.*5.0 MB\/s.*from 1 peer/);
    expect(find('.peers').children).toHaveLength(1);
    const bar = find('.bar');
    expect(bar.getAttribute('role')).toBe('progressbar');
    expect(bar.getAttribute('aria-valuenow')).toBe('42');
    expect(bar.getAttribute('aria-valuetext')).toMatch(/^42% of 1.4 GB/);
    expect(download.getAttribute('state')).toBe('downloading');
  });

  it('is a name as text, whatever it contains', () => {
    add({ src: SOURCE, autostart: '' });
    download.engine.say({ type: 'content', content: { ...FAKE_CONTENT, name: '<img src=x onerror=alert(1)>' } });
    expect(text('.name')).toBe('<img src=x onerror=alert(1)>');
    expect(find('.name').children).toHaveLength(0);
  });

  it('is a problem with what to do, and a way to try again', () => {
    run(0.3);
    download.engine.say({ type: 'failed', problem: { kind: 'storage-full', detail: 'quota' } });
    expect(text('.notice.error .title')).toMatch(/not enough room/);
    expect(text('.main')).toBe('Try again');
    find('.main').click();
    expect(download.engines).toHaveLength(2);
    expect(find('.notices').children).toHaveLength(0);
  });
});

describe('buttons', () => {
  it('save only what is complete', async () => {
    run(0.5);
    expect(find('.main').getAttribute('aria-disabled')).toBe('true');
    find('.main').click();
    expect(download.state).toBe('downloading');
    download.engine.say({ type: 'complete' });
    download.engine.onSave = async ({ fileName }) => ({ how: 'file', fileName });
    find('.main').click();
    await vi.waitFor(() => expect(download.state).toBe('saved'));
    expect(text('.notice.success .title')).toBe(`Saved as “${FAKE_CONTENT.name}”.`);
  });

  it('stop, and keep the focus at hand', () => {
    run(0.5);
    find('.stop').click();
    expect(download.state).toBe('stopped');
    expect(find('.stop').hidden).toBe(true);
    expect(download.shadowRoot?.activeElement).toBe(find('.main'));
    expect(text('.main')).toBe('Go on');
  });

  it('switch the help for others off and on', () => {
    run(0.5);
    const box = find('.switch input') as HTMLInputElement;
    expect(box.checked).toBe(true);
    box.click();
    expect(download.engine.uploadLimit).toBe(0);
    box.click();
    expect(download.engine.uploadLimit).toBeNull();
  });
});

describe('events', () => {
  it('leave the shadow and tell what happened', () => {
    const heard: [string, unknown][] = [];
    const names = ['pleach-statechange', 'pleach-progress', 'pleach-complete', 'pleach-error'] as const;
    const listen = (event: Event): unknown => heard.push([event.type, (event as CustomEvent).detail]);
    names.forEach((name) => document.addEventListener(name, listen));
    finish();
    names.forEach((name) => document.removeEventListener(name, listen));
    expect(heard.map(([name]) => name)).toEqual(['pleach-statechange', 'pleach-statechange', 'pleach-progress', 'pleach-statechange', 'pleach-progress', 'pleach-complete']);
    expect(heard[2]?.[1]).toMatchObject({ progress: 0.9, downloadSpeed: 5_000_000, numPeers: 1 });
    expect(heard[5]?.[1]).toEqual({ id: FAKE_CONTENT.id, name: FAKE_CONTENT.name, sizeBytes: FAKE_CONTENT.sizeBytes });
  });

  it('tell of a problem in plain words', () => {
    const onError = vi.fn();
    add({ src: SOURCE });
    download.addEventListener('pleach-error', onError as EventListener);
    download.start();
    download.engine.say({ type: 'failed', problem: { kind: 'not-found', detail: '404' } });
    expect(onError.mock.calls[0]?.[0].detail).toMatchObject({ kind: 'not-found', title: expect.stringMatching(/Nobody is sharing/) });
  });
});

describe('life', () => {
  it('goes on when it is moved, and ends when it is removed', async () => {
    run(0.5);
    const place = document.createElement('div');
    document.body.append(place);
    place.append(download);
    await Promise.resolve();
    expect(download.engine.disposed).toBe(false);
    expect(download.state).toBe('downloading');
    download.remove();
    await Promise.resolve();
    expect(download.engine.disposed).toBe(true);
  });
});

describe('encrypted content with a password', () => {
  const word = () => text('.unlock-word');
  const input = () => find('.unlock input') as HTMLInputElement;

  async function lock(): Promise<void> {
    add({ src: SOURCE, autostart: '' });
    expect(find('.unlock').hidden).toBe(true);
    download.engine.say({ type: 'locked', wrong: false });
    await vi.waitFor(() => expect(input()).not.toBeNull());
  }

  function submit(password: string): void {
    input().value = password;
    find('.unlock form').dispatchEvent(new Event('submit', { cancelable: true }));
  }

  it('asks for it in place, says that one is wrong, and forgets it when it is right', async () => {
    await lock();
    expect(find('.unlock').hidden).toBe(false);
    expect(text('.headline')).toBe('A password is needed');
    submit('donkey');
    expect(download.engine.passwords).toEqual(['donkey']);
    expect(word()).toBe('Trying the password…');
    submit('in a hurry');
    expect(download.engine.passwords).toEqual(['donkey']);
    download.engine.say({ type: 'locked', wrong: true });
    expect(word()).toBe('The password is wrong. Try another.');
    expect(input().getAttribute('aria-invalid')).toBe('true');
    submit('horse');
    download.engine.say({ type: 'content', content: { ...FAKE_CONTENT, packed: 'encrypted' } });
    expect(find('.unlock').hidden).toBe(true);
    expect(input().value).toBe('');
    expect(text('.about')).toContain('encrypted');
  });

  it('hides the question when the download is stopped', async () => {
    await lock();
    download.stop();
    expect(find('.unlock').hidden).toBe(true);
  });
});
