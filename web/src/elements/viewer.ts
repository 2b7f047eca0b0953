/**
 * Shows one file of a download while it comes: makes the right element for it, tells it where the bytes are, learns from
 * it how fast they are used up, and says in words what stands in the way.
 */

import type { ContentInfo } from '../engine/port.js';
import { openingOf, subtitlesOf, type Opening } from '../playing/media.js';
import { openContent, type OpenedContent } from '../playing/open-file.js';
import { displayName } from '../store/names.js';
import { canRead, isComplete } from '../store/state.js';
import type { DownloadStore } from '../store/store.js';
import { element } from './dom.js';

/** Beside the page, where `pleach` serves it. */
export const WORKER_URL = 'pleach-sw.js';

export interface ViewerOptions {
  readonly workerUrl?: string | undefined;
  /** Something to tell, or nothing any more. */
  readonly onWord: (text: string) => void;
  /** Used instead of making one. */
  readonly media?: HTMLMediaElement | undefined;
}

/** Followed by why. */
const CANT_STREAM = 'It opens by itself when everything is here, because';
const ENDED = 'The download has ended before this part came.';
const CANT_SHOW = 'This browser can’t show this file. Save it, and open it with another program.';
const WAITING = 'Waiting for the next part…';

type Shown = HTMLVideoElement | HTMLAudioElement | HTMLImageElement | HTMLIFrameElement;

export class Viewer {
  readonly #store: DownloadStore;
  readonly #options: ViewerOptions;
  readonly #ended = new AbortController();
  #opened: OpenedContent | null = null;
  #shown: Shown | null = null;

  constructor(store: DownloadStore, options: ViewerOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** The element that shows the file; `null` if there is a word on why not. */
  async open(file: number): Promise<HTMLElement | null> {
    const { phase, content } = this.#store.getState();
    const opening = content?.files[file] && openingOf(content.files[file]);
    if (!content || !opening) return null;
    try {
      const source = { ...this.#store, content, isComplete: isComplete(phase) };
      const opened = await openContent(source, this.#options.workerUrl ?? WORKER_URL);
      if (this.#ended.signal.aborted) {
        opened.close();
        return null;
      }
      this.#opened = opened;
      return await this.#make(opened, content, file, opening);
    } catch (error) {
      this.#options.onWord(`${CANT_STREAM} ${error instanceof Error ? error.message : String(error)}.`);
      return null;
    }
  }

  close(): void {
    this.#ended.abort();
    const shown = this.#shown;
    // A media element holds on to its address until it has another, or none.
    shown?.removeAttribute('src');
    if (shown instanceof HTMLMediaElement) {
      shown.replaceChildren();
      shown.load();
    }
    this.#opened?.close();
    this.#opened = null;
  }

  async #make(opened: OpenedContent, content: ContentInfo, file: number, opening: Opening): Promise<HTMLElement> {
    const address = await opened.address(file);
    const name = displayName(content.files[file]?.path ?? '');
    const shown = this.#options.media ?? makeShown(opening, name);
    this.#shown = shown;
    if (shown instanceof HTMLMediaElement) {
      this.#watch(shown, opened, file, content);
      await addSubtitles(shown, opened, content, file);
    }
    const onError = (): void => this.#options.onWord(canRead(this.#store.getState().phase) ? CANT_SHOW : ENDED);
    shown.addEventListener('error', onError, { signal: this.#ended.signal });
    shown.src = address;
    return shown;
  }

  #watch(media: HTMLMediaElement, opened: OpenedContent, file: number, { files }: ContentInfo): void {
    const { signal } = this.#ended;
    const { start, end } = files[file] as { start: number; end: number };
    const on = (type: string, listener: () => void): void => media.addEventListener(type, listener, { signal });
    on('durationchange', () => {
      const { duration } = media;
      opened.setPace(file, Number.isFinite(duration) && duration > 0 ? (end - start) / duration : null);
    });
    on('waiting', () => this.#options.onWord(WAITING));
    for (const type of ['playing', 'seeked', 'canplay', 'emptied']) on(type, () => this.#options.onWord(''));
  }
}

function makeShown(opening: Opening, name: string): Shown {
  switch (opening) {
    case 'video':
    case 'audio': {
      const media = element(opening, '');
      media.controls = true;
      media.preload = 'auto';
      if (media instanceof HTMLVideoElement) media.playsInline = true;
      media.setAttribute('aria-label', name);
      return media;
    }
    case 'image': {
      const image = element('img', '');
      image.alt = name;
      image.tabIndex = -1;
      return image;
    }
    case 'pdf': {
      const frame = element('iframe', '');
      frame.title = name;
      return frame;
    }
  }
}

/** Files beside a video that are called like it. The first one in the reader's language is switched on. */
async function addSubtitles(media: HTMLMediaElement, opened: OpenedContent, { files }: ContentInfo, file: number): Promise<void> {
  const speaks = (language: string): boolean => language !== '' && navigator.language.toLowerCase().startsWith(language.toLowerCase());
  for (const { file: at, language, label } of subtitlesOf(files, file)) {
    const track = element('track', '');
    track.kind = 'subtitles';
    track.label = displayName(label);
    track.srclang = language;
    track.default = speaks(language) && !media.querySelector('track[default]');
    track.src = await opened.address(at);
    media.append(track);
  }
}
