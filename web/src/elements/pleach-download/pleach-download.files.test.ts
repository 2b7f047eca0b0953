// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EnginePort, SaveOptions, SaveResult } from '../../engine/port.js';
import { TICK_MS } from '../../store/store.js';
import { FAKE_CONTENT, fakeFolder, FakeEngine } from '../../testing/fake-engine.js';
import { PleachDownload } from './pleach-download.component.js';

class TestDownload extends PleachDownload {
  readonly engine = new FakeEngine();
  protected override createEngine(): EnginePort {
    return this.engine;
  }
}
customElements.define('pleach-download', TestDownload);

const FOLDER = fakeFolder('Films', [['b/two.txt', 100], ['<b>one.txt', 100], ['talk.mp4', 800, 'video/mp4']]);

let download: TestDownload;
const all = (selector: string): HTMLElement[] => Array.from(download.shadowRoot?.querySelectorAll<HTMLElement>(selector) ?? []);
const text = (selector: string): string[] => all(selector).map((node) => node.textContent ?? '');
const button = (label: string): HTMLElement => all('button').find((each) => (each.getAttribute('aria-label') ?? each.textContent) === label) as HTMLElement;

async function run(content = FOLDER, held: readonly number[] = [100, 0, 400]): Promise<void> {
  download = new TestDownload();
  download.src = `https://pleach.example/${FAKE_CONTENT.id}#m1.x`;
  document.body.append(download);
  download.start();
  download.engine.held = Float64Array.from(held);
  download.engine.say({ type: 'content', content });
  download.engine.count({ phase: 'downloading', haveBytes: 500, sizeBytes: content.sizeBytes });
  vi.advanceTimersByTime(TICK_MS);
  await vi.waitFor(() => expect(all('.file').length).toBeGreaterThan(0));
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  download.remove();
  vi.useRealTimers();
});

describe('the files of a folder', () => {
  it('are listed, by folder, names as text', async () => {
    await run();
    expect(text('.file-name')).toEqual(['<b>one.txt', 'talk.mp4', 'two.txt']);
    expect(text('.file-status')).toEqual(['Not here yet', '50%', 'Here, verified']);
    expect(all('.file-folder').map(({ hidden, textContent }) => (hidden ? null : textContent))).toEqual([null, null, 'b']);
    expect(text('.about')).toEqual(['1.0 kB · 3 files']);
  });

  it('are saved one by one, while the rest comes', async () => {
    await run();
    let done: (result: SaveResult) => void = () => {};
    const saves: SaveOptions[] = [];
    download.engine.onSave = (options) => {
      saves.push(options);
      return new Promise((resolve) => (done = resolve));
    };
    button('Save talk.mp4').click();
    expect(saves[0]).toMatchObject({ what: { file: 2 }, fileName: 'talk.mp4' });
    saves[0]?.onProgress(200);
    expect(text('.file-status')[1]).toBe('Saving, 25%');
    button('Cancel talk.mp4').click();
    expect(saves[0]?.signal?.aborted).toBe(true);
    done({ how: 'cancelled' });
    await vi.waitFor(() => expect(text('.file-status')[1]).toBe('50%'));
    expect(download.state).toBe('downloading');
  });

  it('are saved as one ZIP once all are here', async () => {
    await run();
    const saves: SaveOptions[] = [];
    download.engine.onSave = async (options) => {
      saves.push(options);
      return { how: 'file', fileName: options.fileName };
    };
    expect(button('Save all as ZIP').getAttribute('aria-disabled')).toBe('true');
    download.engine.say({ type: 'complete' });
    button('Save all as ZIP').click();
    expect(saves[0]).toMatchObject({ what: 'zip', fileName: 'Films.zip' });
    await vi.waitFor(() => expect(download.state).toBe('saved'));
  });

  it('are a page of rows, however many they are', async () => {
    const many = fakeFolder('Many', Array.from({ length: 10_000 }, (_, at) => [`IMG_${at}.jpg`, 1]));
    await run(many, new Array(10_000).fill(0));
    expect(all('.file')).toHaveLength(25);
    button('Next').click();
    expect(text('.file-name')[0]).toBe('IMG_25.jpg');
    expect(text('.files-news')).toEqual(['10,000 files. 26–50 of 10,000']);
    button('Previous').click();
    button('Previous').click();
    expect(text('.file-name')[0]).toBe('IMG_0.jpg');
  });
});
