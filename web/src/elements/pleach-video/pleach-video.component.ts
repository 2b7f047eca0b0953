/**
 * `<pleach-video>`: a `<video>` whose bytes come from the people who have them. It begins at the press of its button, or
 * by itself with `autoplay`, and plays while it loads if the site serves the service worker; else once all is here.
 */

import type { ContentInfo } from '../../engine/port.js';
import { openingOf } from '../../playing/media.js';
import { canRead, isBusy, isComplete, type DownloadState } from '../../store/state.js';
import { announcement, viewOf } from '../../store/words.js';
import { setText, sheetOf } from '../dom.js';
import { DownloadElement } from '../download-element.js';
import type { Viewer } from '../viewer.js';
import { CSS, PLAY_ICON } from './pleach-video.styles.js';

const TEMPLATE = `
<div class="frame" part="frame">
  <video part="video" playsinline preload="auto" hidden></video>
  <img class="poster" part="poster" alt="" hidden>
  <button class="begin" part="button" type="button" aria-label="Play">${PLAY_ICON}</button>
</div>
<section class="unlock" part="unlock" aria-label="Password" hidden></section>
<p class="word" part="word"></p>
<p class="hidden live" role="status" aria-live="polite"></p>`;

/**
 * A video from the people who have it, played while it comes.
 *
 * @element pleach-video
 *
 * @attr {string} src - A share link (`https://TRACKER/ID#m1.DIGEST`) or the URL of a `.pleach` file.
 * @attr {string} file - The path of the video in a folder. Default: the first video or sound.
 * @attr {boolean} controls - Shows the browser's controls.
 * @attr {boolean} autoplay - Starts at once. Browsers allow it with `muted`, or after the person has done something in the page.
 * @attr {boolean} muted - Without sound at first.
 * @attr {string} poster - The URL of a picture that is shown until it plays.
 * @attr {string} upload - `off` gives nothing to others; `500k` gives at most 500 kB/s. Else there is no limit, unless the browser saves data.
 * @attr {string} quota - `2GB`: the most that this site keeps on the device, of all contents; what was used longest ago goes first. Default: half of what the browser grants.
 * @attr {string} source - Addresses of the one file on web servers, separated by spaces: used beside those that the description names. Of another site they have to allow it (CORS).
 * @attr {string} source-limit - `2MB`: the most that is taken from each web server in a second; `0` takes nothing. Default: no limit.
 * @attr {string} name - Shown and told instead of the author's name.
 * @attr {string} service-worker - Where the site serves `pleach-sw.js`, without which nothing is played before it is complete. Default: beside the page.
 * @attr {string} state - Set by the element, to style it by: see the property.
 * @attr {boolean} waits-for-all - Set by the element while it can't play before everything is here, because the site serves no service worker.
 *
 * @event {PleachStateChangeEvent} pleach-statechange - The state changed.
 * @event {PleachProgressEvent} pleach-progress - Something moved.
 * @event {PleachPeersEvent} pleach-peers - Somebody came, went, or is something else to this browser now.
 * @event {PleachDescriptorEvent} pleach-descriptor - All of one more descriptor is there.
 * @event {PleachCompleteEvent} pleach-complete - Everything is here and verified.
 * @event {PleachErrorEvent} pleach-error - The download can't go on.
 *
 * @slot - Shown only where the element can't work: a word for browsers without scripts.
 *
 * @part frame - The box of the video.
 * @part video - The video.
 * @part poster - The picture before it.
 * @part button - Play, Try again.
 * @part unlock - What asks for the password of an encrypted video.
 * @part password - Where it is typed.
 * @part word - What goes on, below the video; empty while it plays.
 *
 * @cssproperty --pleach-accent - Button, focus.
 * @cssproperty --pleach-on-accent - The sign on the button.
 * @cssproperty --pleach-muted - The word below.
 * @cssproperty --pleach-radius - Corners of the box.
 * @cssproperty --pleach-font - Font of the text.
 */
export abstract class PleachVideo extends DownloadElement {
  static readonly observedAttributes: readonly string[] = ['src', 'file', 'controls', 'autoplay', 'muted', 'poster', 'upload', 'name'];

  #viewer: Viewer | null = null;
  /** What of the content was there when opening it was tried last: a part is tried once, and all once more. */
  #tried: 'nothing' | 'part' | 'all' = 'nothing';
  #wantsToPlay = false;
  /** What stands in the way of playing, in words. */
  #word = '';

  constructor() {
    super(TEMPLATE, sheetOf(CSS));
    this.find('.begin').addEventListener('click', () => void this.play());
  }

  protected override get startsByItself(): boolean {
    return this.hasAttribute('autoplay');
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#applyAttributes();
  }

  override attributeChangedCallback(name: string, before: string | null, value: string | null): void {
    if (!this.isConnected) return;
    if (name === 'file' && before !== value) this.#reopen();
    this.#applyAttributes();
    super.attributeChangedCallback(name, before, value);
    if (name === 'autoplay' && value !== null) this.start();
  }

  /** The video itself, for everything that a video can: time, volume, full screen, its events. */
  get video(): HTMLVideoElement {
    return this.find<HTMLVideoElement>('video');
  }

  /** Starts if that is still to be done, and plays. */
  async play(): Promise<void> {
    this.#wantsToPlay = true;
    this.start();
    // Inside a click a browser remembers that it may play, though nothing is there yet.
    await this.video.play().catch(() => undefined);
  }

  pause(): void {
    this.video.pause();
  }

  protected override storeDropped(): void {
    this.#close();
  }

  protected override render(state: DownloadState, before: DownloadState | null): void {
    const view = viewOf(state, this.getAttribute('name') ?? '');
    const ended = state.phase === 'failed' || state.phase === 'stopped';
    const begin = this.find('.begin');
    begin.hidden = !(state.phase === 'idle' || ended);
    begin.setAttribute('aria-label', ended ? view.main.label : `Play ${view.name}`);
    if (state.phase === 'opening') this.#close();
    if (canRead(state.phase)) void this.#open(state);
    this.#renderWord(state);
    this.renderLock(state);
    const news = before && announcement(before, state, view);
    if (news) setText(this.find('.live'), news);
  }

  /** Trouble of the download first, then what stands in the way of playing, then how the beginning goes. */
  #renderWord(state: DownloadState): void {
    const { notices, percent, headline } = viewOf(state);
    const trouble = notices.find(({ tone }) => tone === 'error' || tone === 'warning');
    const isOpening = this.video.hidden && (isBusy(state.phase) || isComplete(state.phase));
    const word = this.#word || (isOpening ? headline : '');
    setText(this.find('.word'), trouble ? `${trouble.title} ${trouble.advice}` : word === '' ? '' : `${word} ${percent}`.trim());
  }

  #applyAttributes(): void {
    const { video } = this;
    video.controls = this.hasAttribute('controls');
    video.autoplay = this.hasAttribute('autoplay');
    if (video.hidden) video.muted = this.hasAttribute('muted');
    const poster = this.getAttribute('poster') ?? '';
    const image = this.find<HTMLImageElement>('.poster');
    image.hidden = poster === '' || !video.hidden;
    if (poster !== '' && image.getAttribute('src') !== poster) image.src = poster;
    if (poster !== '') video.poster = poster;
  }

  async #open(state: DownloadState): Promise<void> {
    const { store } = this;
    const there = isComplete(state.phase) ? 'all' : 'part';
    const couldPlay = this.#tried === 'part' && !this.hasAttribute('waits-for-all');
    if (!store || !state.content || this.#tried === there || this.#tried === 'all' || couldPlay) return;
    this.#tried = there;
    const file = this.#fileOf(state.content);
    if (file < 0) return this.#say('There is no video here.');
    const { Viewer } = await import('../viewer.js');
    if (this.store !== store || this.#tried !== there) return;
    this.#viewer?.close();
    const viewer = new Viewer(store, {
      workerUrl: this.getAttribute('service-worker') ?? undefined,
      media: this.video,
      onWord: (text) => this.#say(text),
    });
    this.#viewer = viewer;
    const shown = await viewer.open(file);
    if (this.#viewer !== viewer) return;
    this.toggleAttribute('waits-for-all', shown === null && there === 'part');
    if (shown) this.#showVideo();
    // All came while it was found out that a part can't be played.
    else if (this.shown && isComplete(this.shown.phase)) void this.#open(this.shown);
  }

  #showVideo(): void {
    this.video.hidden = false;
    this.find('.poster').hidden = true;
    this.#say('');
    if (this.#wantsToPlay || this.hasAttribute('autoplay')) void this.video.play().catch(() => undefined);
  }

  #fileOf({ files }: ContentInfo): number {
    const wanted = this.getAttribute('file');
    return files.findIndex((file) => {
      const opening = openingOf(file);
      return (opening === 'video' || opening === 'audio') && (wanted === null || file.path === wanted);
    });
  }

  #say(text: string): void {
    this.#word = text;
    if (this.shown) this.#renderWord(this.shown);
  }

  #reopen(): void {
    this.#close();
    if (this.store) this.render(this.store.getState(), null);
  }

  #close(): void {
    this.#viewer?.close();
    this.#viewer = null;
    this.#tried = 'nothing';
    this.#word = '';
    this.video.hidden = true;
    this.removeAttribute('waits-for-all');
  }
}
