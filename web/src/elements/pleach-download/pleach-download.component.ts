/**
 * `<pleach-download>`: one download, shown. It is dumb: the state of the download store becomes a `View` of plain words,
 * and `render` puts each word in its place.
 */

import { formatBytes, formatCount } from '../../store/format.js';
import { canRead, isBusy, isComplete, isFolder, type DownloadState } from '../../store/state.js';
import { announcement, viewOf, type Notice, type PeerLine, type View } from '../../store/words.js';
import { openingOf } from '../../playing/media.js';
import { hasFolderPicker } from '../../storage/save.js';
import { element, renderList, setText, sheetOf } from '../dom.js';
import { DownloadElement } from '../download-element.js';
import { braidSvg } from './pleach-download.braid.js';
import type { FilesSection } from './pleach-download.files.js';
import { KIND_ICONS, NOTICE_ICONS, TICK_ICON, TIP } from './pleach-download.icons.js';
import { PICTURE_TEMPLATE, PictureSection } from './pleach-download.picture.js';
import type { PlayerSection } from './pleach-download.player.js';
import { CSS } from './pleach-download.styles.js';

/** More rows than this help nobody. */
const PEERS_SHOWN_MAX = 8;
const BAR_HEIGHT = 26;

const TEMPLATE = `
<article class="card" part="card" aria-labelledby="name">
  <header class="head">
    <span class="icon" part="icon"><slot name="icon"></slot></span>
    <div>
      <h2 class="name" part="name" id="name" dir="auto"></h2>
      <p class="about" part="about"></p>
    </div>
  </header>
  <section class="unlock" part="unlock" aria-label="Password" hidden></section>
  <section class="player" part="player" aria-label="Player" hidden></section>
  <div class="meter">
    <div class="figures">
      <span class="percent" part="percent" aria-hidden="true"></span>
      <p class="status"><span class="headline" part="headline"></span><span class="time" part="time"></span></p>
    </div>
    <div class="bar" part="bar" role="progressbar" aria-labelledby="name" aria-valuemin="0" aria-valuemax="100">
      <div class="bar-track" part="bar-track">${braidSvg('track', BAR_HEIGHT)}</div>
      <div class="bar-fill" part="bar-fill">${braidSvg('fill', BAR_HEIGHT)}</div>
      <div class="tip-place">${TIP}</div>
    </div>
    <ul class="facts" part="facts"></ul>
  </div>
  <div class="notices"></div>
  <div class="actions" part="actions">
    <button class="main" part="button button-main" type="button"></button>
    <button class="play" part="button button-play" type="button" hidden></button>
    <button class="folder" part="button button-folder" type="button" hidden>Save into a folder</button>
    <button class="stop" part="button button-stop" type="button">Stop</button>
    <slot name="actions"></slot>
    <span class="hint" id="hint"></span>
  </div>
  <section class="files" part="files" aria-labelledby="files-title" hidden></section>
  <div class="more">
    <section class="peers-section" part="peers" aria-labelledby="peers-title">
      <h3 id="peers-title"></h3>
      <ul class="peers"></ul>
      <p class="peers-rest"></p>
    </section>
    <div class="upload" part="upload">
      <span class="passing-on"></span>
      <label class="switch"><input type="checkbox" role="switch"> Help others</label>
    </div>
    ${PICTURE_TEMPLATE}
    <details part="details">
      <summary>Details and verification</summary>
      <dl class="about-it">
        <div><dt>Full name</dt><dd class="full-name" dir="auto"></dd></div>
        <div><dt>Content id (BLAKE3)</dt><dd class="id"></dd></div>
        <div><dt>Size</dt><dd class="exact-size"></dd></div>
        <div><dt>In the swarm</dt><dd class="swarm"></dd></div>
        <div><dt>Verification</dt><dd class="verified"></dd></div>
      </dl>
    </details>
  </div>
  <slot name="footer"></slot>
  <p class="hidden live" role="status" aria-live="polite"></p>
</article>`;

/**
 * A download from the people who have the file, or a folder of files, shown with its progress, played while it comes,
 * and saved to the disk.
 *
 * @element pleach-download
 *
 * @attr {string} src - A share link (`https://TRACKER/ID#m1.DIGEST`) or the URL of a `.pleach` file.
 * @attr {boolean} autostart - Start at once rather than at the press of a button.
 * @attr {string} upload - `off` gives nothing to others; `500k` gives at most 500 kB/s. Else there is no limit, unless the browser saves data.
 * @attr {string} quota - `2GB`: the most that this site keeps on the device, of all contents; what was used longest ago goes first. Default: half of what the browser grants.
 * @attr {string} source - Addresses of the one file on web servers, separated by spaces: used beside those that the description names. Of another site they have to allow it (CORS).
 * @attr {string} source-limit - `2MB`: the most that is taken from each web server in a second; `0` takes nothing. Default: no limit.
 * @attr {string} name - Shown and saved instead of the author's name.
 * @attr {string} service-worker - Where the site serves `pleach-sw.js`, without which nothing is played before it is complete. Default: beside the page.
 * @attr {string} state - Set by the element, to style it by: see the property.
 *
 * @event {PleachStateChangeEvent} pleach-statechange - The state changed.
 * @event {PleachProgressEvent} pleach-progress - Something moved.
 * @event {PleachPeersEvent} pleach-peers - Somebody came, went, or is something else to this browser now.
 * @event {PleachDescriptorEvent} pleach-descriptor - All of one more descriptor is there.
 * @event {PleachCompleteEvent} pleach-complete - Everything is here and verified.
 * @event {PleachErrorEvent} pleach-error - The download can't go on.
 *
 * @slot - Shown only where the element can't work: a word for browsers without scripts.
 * @slot icon - Instead of the picture of the file's kind.
 * @slot actions - More buttons.
 * @slot footer - Below everything.
 *
 * @part card - The whole box.
 * @part icon - The picture of the file's kind.
 * @part name - The file's name.
 * @part about - Its size and kind.
 * @part percent - The large number.
 * @part headline - What is going on.
 * @part time - The time left.
 * @part bar - The progress bar.
 * @part bar-track - The bar's ground.
 * @part bar-fill - What is done of it.
 * @part facts - The line of numbers below the bar.
 * @part notice - A message: resumed, warning, problem, saved.
 * @part unlock - What asks for the password of encrypted content.
 * @part password - Where it is typed.
 * @part player - What is played or shown.
 * @part files - The list of files of a folder.
 * @part file - One of them.
 * @part actions - The row of buttons.
 * @part button - Every button.
 * @part button-main - Download, Save, Try again.
 * @part button-play - Play, Open.
 * @part button-folder - Save into a folder.
 * @part button-stop - Stop.
 * @part peers - Who is connected.
 * @part peer - One of them.
 * @part upload - What is passed on, and the switch.
 * @part picture - Who feeds whom.
 * @part details - The details.
 *
 * @cssproperty --pleach-accent - Buttons, switch, focus.
 * @cssproperty --pleach-on-accent - Text on them.
 * @cssproperty --pleach-surface - The box.
 * @cssproperty --pleach-ground - Quiet areas in it.
 * @cssproperty --pleach-ink - Text.
 * @cssproperty --pleach-muted - Secondary text.
 * @cssproperty --pleach-line - Lines, and the braid that is still to grow.
 * @cssproperty --pleach-strand-1 - First strand of the braid.
 * @cssproperty --pleach-strand-2 - Second strand.
 * @cssproperty --pleach-strand-3 - Third strand.
 * @cssproperty --pleach-radius - Corners of the box.
 * @cssproperty --pleach-font - Font of the text.
 * @cssproperty --pleach-font-display - Font of the large number and words.
 */
export abstract class PleachDownload extends DownloadElement {
  static readonly observedAttributes: readonly string[] = ['src', 'autostart', 'upload', 'name'];

  readonly #picture: PictureSection;
  /** Loaded when there is something for them to do. */
  #files: FilesSection | null = null;
  #player: PlayerSection | null = null;
  #loadingFiles: Promise<void> | null = null;

  constructor() {
    super(TEMPLATE, sheetOf(CSS));
    this.find('.main').addEventListener('click', () => this.#press());
    this.find('.folder').addEventListener('click', () => this.#save('folder'));
    this.find('.play').addEventListener('click', () => this.open());
    this.find('.stop').addEventListener('click', () => {
      this.stop();
      this.find('.main').focus();
    });
    this.find<HTMLInputElement>('.switch input').addEventListener('change', (event) => {
      this.chooseUpload((event.target as HTMLInputElement).checked);
    });
    this.#picture = new PictureSection(this.find<HTMLDetailsElement>('.feeding'), () => this.store?.forest() ?? Promise.resolve(null));
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#picture.connect();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#picture.disconnect();
  }

  /** Whether it starts by itself. */
  get autostart(): boolean {
    return this.hasAttribute('autostart');
  }
  set autostart(value: boolean) {
    this.toggleAttribute('autostart', value);
  }

  /** Saves the file, or all files as one ZIP. Call it inside a click: browsers open the file picker only there. */
  save(): void {
    this.#save('zip');
  }

  /** Plays or shows a file, by its number, while it comes; without a number the first that can be. */
  open(file?: number): void {
    void this.#open(file);
  }

  #save(as: 'zip' | 'folder'): void {
    const name = this.getAttribute('name');
    this.store?.dispatch(name ? { type: 'save', as, name } : { type: 'save', as });
  }

  #press(): void {
    const state = this.ensureStore().getState();
    const { action } = viewOf(state).main;
    if (action === 'start') this.start();
    if (action === 'save') this.save();
  }

  async #open(file?: number): Promise<void> {
    const { PlayerSection } = await import('./pleach-download.player.js');
    const { store } = this;
    const state = store?.getState();
    const at = file ?? state?.content?.files.findIndex((each) => openingOf(each) !== null) ?? -1;
    if (!store || !state || !canRead(state.phase) || at < 0) return;
    this.#player ??= new PlayerSection(this.find('.player'));
    await this.#player.open(store, at, this.getAttribute('service-worker') ?? undefined);
  }

  protected override storeDropped(): void {
    this.#player?.close();
  }

  protected override render(state: DownloadState, before: DownloadState | null): void {
    const view = viewOf(state, this.getAttribute('name') ?? '');
    this.#renderHead(view);
    this.#renderMeter(view, state);
    renderList(this.find('.notices'), view.notices, renderNotice);
    this.#renderActions(view, state);
    this.#renderFiles(state);
    this.#renderMore(view, state);
    this.renderLock(state);
    this.#picture.show(state);
    const news = before && announcement(before, state, view);
    if (news) this.#say('.live', news);
  }

  #say(selector: string, text: string): void {
    setText(this.find(selector), text);
  }

  #renderHead(view: View): void {
    this.#say('.name', view.name);
    this.find('.name').title = view.name;
    this.#say('.about', view.about);
    const icon = this.find('.icon slot');
    if (icon.dataset['kind'] !== view.kind) {
      icon.dataset['kind'] = view.kind;
      icon.innerHTML = KIND_ICONS[view.kind];
    }
  }

  #renderMeter(view: View, state: DownloadState): void {
    this.#say('.percent', view.percent);
    this.find('.percent').hidden = view.percent === '';
    this.find('.figures').classList.toggle('wordy', view.percent === '');
    this.#say('.headline', view.headline);
    this.#say('.time', view.timeLeft);
    const bar = this.find('.bar');
    bar.classList.toggle('unknown', view.progress === null);
    bar.classList.toggle('moving', isBusy(state.phase) && !state.elsewhere && (state.locked === null || state.locked.trying) && state.downBytesPerS === 0 && state.stall === null && state.online);
    bar.style.setProperty('--_progress', (view.progress ?? 0).toFixed(4));
    if (view.progress === null) bar.removeAttribute('aria-valuenow');
    else bar.setAttribute('aria-valuenow', String(Math.floor(view.progress * 100)));
    bar.setAttribute('aria-valuetext', view.progressText);
    renderList(this.find('.facts'), view.facts, (item: HTMLElement | null, fact) => {
      const node = item ?? document.createElement('li');
      setText(node, fact);
      return node;
    });
    const verified = this.root.querySelector('.facts li');
    if (isComplete(state.phase) && state.phase !== 'saving') markVerified(verified);
    else verified?.classList.remove('tick');
  }

  #renderActions(view: View, state: DownloadState): void {
    const main = this.find<HTMLButtonElement>('.main');
    setText(main, view.main.label);
    // Not `disabled`, which would drop the focus and hide the hint from keyboards.
    main.setAttribute('aria-disabled', String(view.main.action === null));
    main.setAttribute('aria-describedby', 'hint');
    this.find('.folder').hidden = !view.canSaveFolder || !hasFolderPicker();
    this.find('.play').hidden = view.play === '';
    this.#say('.play', view.play);
    this.find('.stop').hidden = !view.canStop;
    this.find('.actions').classList.toggle('is-folder', isFolder(state.content));
    this.#say('.hint', view.main.hint);
  }

  #renderFiles(state: DownloadState): void {
    this.find('.files').hidden = !isFolder(state.content);
    this.#files?.show(state);
    if (this.#files || this.#loadingFiles || !isFolder(state.content)) return;
    this.#loadingFiles = import('./pleach-download.files.js').then(({ FilesSection }) => {
      this.#files = new FilesSection(this.find('.files'), {
        save: (file) => this.store?.dispatch({ type: 'saveFile', file }),
        cancel: (file) => this.store?.dispatch({ type: 'cancelSaveFile', file }),
        open: (file) => this.open(file),
      });
      if (this.shown) this.#files.show(this.shown);
    });
  }

  #renderMore(view: View, state: DownloadState): void {
    const { content } = state;
    this.find('.more').hidden = content === null;
    this.find('.peers-section').hidden = view.peers.length === 0;
    this.#say('#peers-title', view.peersTitle);
    renderList(this.find('.peers'), view.peers.slice(0, PEERS_SHOWN_MAX), renderPeer);
    const rest = view.peers.length - PEERS_SHOWN_MAX;
    this.#say('.peers-rest', rest > 0 ? `and ${rest} more` : '');
    this.find('.upload').hidden = view.passingOn === '' || state.phase === 'failed';
    this.#say('.passing-on', view.passingOn);
    this.find<HTMLInputElement>('.switch input').checked = state.upload.allowed;
    this.find('.switch').hidden = !state.sharing;
    if (!content) return;
    this.#say('.full-name', view.name);
    this.#say('.id', content.id);
    this.#say('.exact-size', `${formatBytes(content.sizeBytes)} (${content.sizeBytes.toLocaleString('en')} bytes)${content.mediaType ? `, ${content.mediaType}` : ''}`);
    this.#say('.swarm', state.sharing && state.swarmPeers > 0 ? `${formatCount(state.swarmPeers, 'peer', 'peers')} with you, ${formatCount(state.swarmSeeders, 'has', 'have')} everything` : 'not connected');
    this.#say('.verified', view.verified);
  }
}

function renderNotice(present: HTMLElement | null, notice: Notice): HTMLElement {
  const node =
    present ??
    element('div', 'notice', [element('span', 'picture'), element('p', 'title'), element('p', 'advice'), element('p', 'detail')]);
  const [picture, title, advice, detail] = Array.from(node.children) as [HTMLElement, HTMLElement, HTMLElement, HTMLElement];
  if (node.dataset['tone'] !== notice.tone) {
    node.dataset['tone'] = notice.tone;
    node.className = `notice ${notice.tone}`;
    node.setAttribute('part', `notice notice-${notice.tone}`);
    picture.innerHTML = NOTICE_ICONS[notice.tone];
  }
  setText(title, notice.title);
  setText(advice, notice.advice);
  setText(detail, notice.detail);
  advice.hidden = notice.advice === '';
  detail.hidden = notice.detail === '';
  return node;
}

function renderPeer(present: HTMLElement | null, line: PeerLine): HTMLElement {
  const node =
    present ??
    element('li', 'peer', [
      element('div', 'who', [element('bdi', 'program'), element('span', 'role'), element('span', 'carried')]),
      element('div', 'share', [element('i', '')]),
      element('span', 'speed'),
    ]);
  node.setAttribute('part', 'peer');
  const [who, share, speed] = Array.from(node.children) as [HTMLElement, HTMLElement, HTMLElement];
  const [program, role, carried] = Array.from(who.children) as [HTMLElement, HTMLElement, HTMLElement];
  const did = [line.brought, line.given].filter((text) => text !== '').join(', ');
  setText(program, line.program);
  setText(role, did === '' ? line.role : '');
  setText(carried, did);
  share.classList.toggle('none', line.share === 0);
  share.style.setProperty('--_share', line.share.toFixed(3));
  setText(speed, line.speed);
  return node;
}

function markVerified(item: Element | null): void {
  if (!item || item.classList.contains('tick')) return;
  item.classList.add('tick');
  item.insertAdjacentHTML('afterbegin', TICK_ICON);
}
