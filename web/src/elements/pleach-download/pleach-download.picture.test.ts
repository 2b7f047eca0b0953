// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EnginePort } from '../../engine/port.js';
import { TICK_MS } from '../../store/store.js';
import { FAKE_CONTENT, FakeEngine, fakeLink } from '../../testing/fake-engine.js';
import { fakeForest, fakePeerId } from '../../testing/fake-forest.js';
import { PleachDownload } from './pleach-download.component.js';
import { PICTURE_MS } from './pleach-download.picture.js';

class PictureDownload extends PleachDownload {
  readonly engine = new FakeEngine();
  protected override createEngine(): EnginePort {
    return this.engine;
  }
}
customElements.define('pleach-picture-download', PictureDownload);

let download: PictureDownload;
let asked: number;

const find = (selector: string): HTMLElement => download.shadowRoot?.querySelector(selector) as HTMLElement;
const details = (): HTMLDetailsElement => find('.feeding') as HTMLDetailsElement;
const text = (selector: string): string => find(selector).textContent?.trim() ?? '';
const cells = (): string[][] => [...find('.neighbours tbody').children].map((row) => [...row.children].map((cell) => cell.textContent ?? ''));
const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

const FEEDER = fakeLink({ link: 1, peer: fakePeerId(0), agent: 'pleach/0.1.0', role: 'parent', receivedBytes: 3e6, downBytesPerS: 2e6 });
const CHILD = fakeLink({ link: 2, peer: fakePeerId(5), role: 'child', upBytesPerS: 4e5 });
const SPARE = fakeLink({ link: 3, peer: fakePeerId(6), agent: '<b>x</b>' });

async function open(isOpen: boolean): Promise<void> {
  details().open = isOpen;
  details().dispatchEvent(new Event('toggle'));
  await pass(0);
}

function setHidden(hidden: boolean): void {
  Object.defineProperty(document, 'visibilityState', { value: hidden ? 'hidden' : 'visible', configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}

beforeEach(() => {
  vi.useFakeTimers();
  localStorage.clear();
  asked = 0;
  download = new PictureDownload();
  const { engine } = download;
  const ask = engine.forest.bind(engine);
  engine.forest = () => {
    asked += 1;
    return ask();
  };
  download.src = `https://pleach.example/${FAKE_CONTENT.id}`;
  document.body.append(download);
  download.start();
  engine.say({ type: 'content', content: FAKE_CONTENT });
  engine.picture = fakeForest(7, { stripes: 2 });
  engine.count({ peer: fakePeerId(2), phase: 'downloading', haveBytes: 9e6, links: [FEEDER, CHILD, SPARE] });
  vi.advanceTimersByTime(TICK_MS);
});

afterEach(() => {
  setHidden(false);
  download.remove();
  vi.useRealTimers();
});

describe('who feeds whom', () => {
  it('is closed at first, and asks nothing then', async () => {
    await pass(2 * PICTURE_MS);
    expect(details().open).toBe(false);
    expect(find('.drawing').children).toHaveLength(0);
    expect(asked).toBe(0);
  });

  it('is not there where nobody can be met', async () => {
    expect(details().hidden).toBe(false);
    download.engine.say({ type: 'webOnly' });
    await pass(PICTURE_MS);
    expect(details().hidden).toBe(true);
    expect(asked).toBe(0);
  });

  it('is drawn and told in a table', async () => {
    await open(true);
    expect(text('.picture-summary')).toBe('1 feeds you, you feed 1, 1 is spare.');
    expect(find('.drawing svg').getAttribute('aria-label')).toBe('Who feeds whom. 1 feeds you, you feed 1, 1 is spare.');
    expect(find('.drawing').querySelectorAll('.peer-mark')).toHaveLength(7);
    expect(find('.drawing').querySelectorAll('.me')).toHaveLength(1);
    expect([...find('.drawing').querySelectorAll('.rate')].map((rate) => rate.textContent)).toEqual(['↓ 2.0 MB/s', '↑ 400 kB/s']);
    expect(cells()).toEqual([
      ['1', 'Pleach 0.1.0', 'feeds you', '2.0 MB/s', '–', '3.0 MB'],
      ['2', 'Chrome 156', 'you feed it', '–', '400 kB/s', '–'],
      ['3', '<b>x</b>', 'spare', '–', '–', '–'],
    ]);
    expect(find('.neighbours tbody th').getAttribute('scope')).toBe('row');
  });

  it('goes on every two seconds, and rests while it is closed or out of sight', async () => {
    await open(true);
    expect(asked).toBe(1);
    await pass(2 * PICTURE_MS);
    expect(asked).toBe(3);
    setHidden(true);
    await pass(2 * PICTURE_MS);
    expect(asked).toBe(3);
    setHidden(false);
    await pass(0);
    expect(asked).toBe(4);
    await open(false);
    await pass(2 * PICTURE_MS);
    expect(asked).toBe(4);
  });

  it('stays open for the next visit, and closed too', async () => {
    await open(true);
    expect((new PictureDownload().shadowRoot?.querySelector('.feeding') as HTMLDetailsElement).open).toBe(true);
    await open(false);
    expect((new PictureDownload().shadowRoot?.querySelector('.feeding') as HTMLDetailsElement).open).toBe(false);
  });

  it('shows its own connections when the tracker shows nothing, a former picture for a while', async () => {
    await open(true);
    download.engine.picture = null;
    await pass(4 * PICTURE_MS);
    expect(find('.drawing').querySelectorAll('.peer-mark')).toHaveLength(7);
    await pass(4 * PICTURE_MS);
    expect(find('.drawing').querySelectorAll('.peer-mark')).toHaveLength(4);
    expect(text('.picture-note')).toMatch(/your own connections only/);
  });

  it('follows at once who comes and goes, and tells it, but not too often', async () => {
    await open(true);
    expect(text('.picture-news')).toBe('');
    download.engine.count({ links: [FEEDER] });
    await pass(TICK_MS);
    expect(cells()).toHaveLength(1);
    expect(text('.picture-news')).toBe('');
    await pass(10_000);
    expect(text('.picture-news')).toBe('1 feeds you, you feed nobody.');
    download.engine.count({ links: [FEEDER, CHILD] });
    await pass(TICK_MS);
    expect(text('.picture-news')).toBe('1 feeds you, you feed nobody.');
  });

  it('says so when nothing flows', async () => {
    await open(true);
    download.stop();
    await pass(TICK_MS);
    expect(text('.picture-summary')).toBe('Nothing flows: this download is not running.');
    expect(find('.drawing').hidden).toBe(true);
    const before = asked;
    await pass(2 * PICTURE_MS);
    expect(asked).toBe(before);
  });

  it('is an event when somebody is something else to this browser', async () => {
    const heard = vi.fn();
    download.addEventListener('pleach-peers', heard as EventListener);
    download.engine.count({ links: [FEEDER, { ...CHILD, stripesDown: 1 }] });
    await pass(2 * TICK_MS);
    expect(heard).toHaveBeenCalledOnce();
    expect(heard.mock.calls[0]?.[0].detail.peers).toMatchObject([{ stripesDown: 2, stripesUp: 0 }, { stripesDown: 1, stripesUp: 2 }]);
    expect(download.peers).toHaveLength(2);
  });
});
