/**
 * "Who feeds whom": a drawing of the swarm with this browser in it, and a table that says the same of its neighbours.
 *
 * It works while it is open and the page is in sight, every two seconds, and rests otherwise. What the tracker shows is
 * drawn lightly; the edges of this browser come from its own engine, so they are there without a tracker too. Nothing
 * moves by itself: what is painted while bytes flow costs the transfer.
 */

import { parseForest, type Forest } from '../../forest/forest.js';
import { layOut, ratesOf, type Drawing, type Place } from '../../forest/layout.js';
import { sceneOf, type Scene, type ScenePeer } from '../../forest/scene.js';
import { formatSpeed } from '../../store/format.js';
import { drawingNote, flowSummary, neighbourRows, peerTitle, type NeighbourRow } from '../../store/picture-words.js';
import { isComplete, type DownloadState } from '../../store/state.js';

export const PICTURE_MS = 2_000;
/** A picture that the tracker gave is shown for so long when it gives no newer one. */
const FOREST_MS_MAX = 10_000;
/** Between two announcements of who feeds whom. */
const NEWS_MS_MIN = 10_000;
/** Where a browser remembers that a person opened the section. */
const REMEMBERED = 'pleach:who-feeds-whom';
const WIDTH_DEFAULT = 600;
/** Behind what an edge carries, so that it can be read over the edges. */
const PLATE_WIDTH = 60;

const COLUMNS = ['', 'Neighbour', 'To you', 'Down', 'Up', 'Got'];

export const PICTURE_TEMPLATE = `
<details class="feeding" part="picture">
  <summary>Who feeds whom</summary>
  <p class="picture-summary"></p>
  <div class="drawing"></div>
  <ul class="key" aria-hidden="true">
    <li><svg viewBox="-9 -9 18 18"><rect class="ring" x="-6" y="-6" width="12" height="12" rx="3"/></svg> had everything from the start</li>
    <li><svg viewBox="-9 -9 18 18"><circle class="ring" r="6"/><circle class="held" r="4"/></svg> filled as far as it has it</li>
    <li><svg viewBox="0 0 22 18"><path class="own down" d="M1 9h20"/></svg> feeds you</li>
    <li><svg viewBox="0 0 22 18"><path class="own up" d="M1 9h20"/></svg> you feed it</li>
    <li><svg viewBox="0 0 22 18"><path class="own spare" d="M1 9h20"/></svg> spare, for what comes late</li>
  </ul>
  <div class="neighbours" role="region" aria-label="Your neighbours">
    <table>
      <caption class="hidden">Your neighbours</caption>
      <thead><tr>${COLUMNS.map((name) => (name === '' ? '<td></td>' : `<th scope="col">${name}</th>`)).join('')}</tr></thead>
      <tbody></tbody>
    </table>
  </div>
  <p class="picture-note"></p>
  <p class="hidden picture-news" role="status" aria-live="polite"></p>
</details>`;

/** Gives what the tracker shows. */
type AskForest = () => Promise<unknown>;

export class PictureSection {
  readonly #details: HTMLDetailsElement;
  readonly #ask: AskForest;
  #state: DownloadState | null = null;
  #forest: { readonly forest: Forest; readonly atMs: number } | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #linked = '';
  #news = { text: '', atMs: -Infinity };

  constructor(details: HTMLDetailsElement, ask: AskForest) {
    this.#details = details;
    this.#ask = ask;
    details.open = isRemembered();
    details.addEventListener('toggle', () => {
      remember(details.open);
      this.#wake();
    });
  }

  connect(): void {
    document.addEventListener('visibilitychange', this.#wake);
    this.#wake();
  }

  disconnect(): void {
    document.removeEventListener('visibilitychange', this.#wake);
    this.#rest();
  }

  /** Takes a state in. It is drawn in time; at once if somebody came or went. */
  show(state: DownloadState): void {
    this.#state = state;
    // Who can't connect to others is fed by nobody.
    this.#details.hidden = state.webOnly;
    if (!state.sharing) this.#forest = null;
    const linked = state.links.map(({ id }) => id).join();
    const changed = linked !== this.#linked;
    this.#linked = linked;
    this.#wake();
    if (changed && this.#timer !== undefined) this.#render();
  }

  readonly #wake = (): void => {
    const inSight = this.#details.open && !this.#details.hidden && this.#details.isConnected && document.visibilityState !== 'hidden';
    if (!inSight || !this.#state?.sharing) {
      this.#rest();
      if (inSight) this.#render();
      return;
    }
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(this.#look, PICTURE_MS);
    this.#render();
    this.#look();
  };

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  readonly #look = (): void => {
    void this.#ask().then((json) => {
      const forest = parseForest(json);
      const nowMs = performance.now();
      if (forest) this.#forest = { forest, atMs: nowMs };
      else if (this.#forest && nowMs - this.#forest.atMs > FOREST_MS_MAX) this.#forest = null;
      if (this.#timer !== undefined) this.#render();
    });
  };

  #render(): void {
    const state = this.#state;
    if (!state) return;
    const complete = isComplete(state.phase);
    const myself = { id: state.me, complete, held: state.progress };
    const scene = sceneOf(this.#forest?.forest ?? null, myself, state.links);
    const summary = state.sharing ? flowSummary(state.links, complete) : 'Nothing flows: this download is not running.';
    this.#say('.picture-summary', summary);
    this.#say('.picture-note', state.sharing ? drawingNote(scene) : '');
    const place = this.#find('.drawing');
    place.hidden = !state.sharing;
    this.#find('.key').hidden = !state.sharing || scene.peers.length === 1;
    if (state.sharing) place.replaceChildren(draw(scene, layOut(scene, place.clientWidth || WIDTH_DEFAULT), summary));
    this.#renderTable(neighbourRows(state.links));
    this.#tell(summary);
  }

  #renderTable(rows: readonly NeighbourRow[]): void {
    const region = this.#find('.neighbours');
    region.hidden = rows.length === 0;
    this.#find('tbody').replaceChildren(...rows.map(renderRow));
    // A keyboard scrolls only what it can stand on.
    if (region.scrollWidth > region.clientWidth) region.tabIndex = 0;
    else region.removeAttribute('tabindex');
  }

  /** Tells a screen reader, not more often than one wants to hear it; the first time it can be read. */
  #tell(summary: string): void {
    const nowMs = performance.now();
    if (summary === this.#news.text || nowMs - this.#news.atMs < NEWS_MS_MIN) return;
    if (this.#news.text !== '') this.#say('.picture-news', summary);
    this.#news = { text: summary, atMs: nowMs };
  }

  #find(selector: string): HTMLElement {
    return this.#details.querySelector(selector) as HTMLElement;
  }

  #say(selector: string, text: string): void {
    const node = this.#find(selector);
    if (node.textContent !== text) node.textContent = text;
  }
}

function renderRow(row: NeighbourRow): HTMLElement {
  const tr = document.createElement('tr');
  const cells = [
    ['td', 'number', row.number],
    ['th', 'program', row.name],
    ['td', 'relation', row.relation],
    ['td', 'figure', row.down],
    ['td', 'figure', row.up],
    ['td', 'figure', row.received],
  ] as const;
  for (const [tag, className, text] of cells) {
    const cell = document.createElement(tag);
    cell.className = className;
    cell.textContent = text;
    if (tag === 'th') cell.setAttribute('scope', 'row');
    tr.append(cell);
  }
  return tr;
}

/** The drawing, made anew each time: two hundred circles cost less than keeping them in step. */
function draw(scene: Scene, { width, height, places, nearEdges, farEdges, ownEdges }: Drawing, label: string): SVGElement {
  const own = ownEdges.map(({ way, path, share }) => {
    const strength = way === 'spare' ? 1.5 : 1.75 + 3 * share;
    return node('path', { class: `own ${way}`, d: path, 'stroke-width': strength.toFixed(2), ...(way === 'spare' ? {} : { 'marker-end': `url(#head-${way})` }) });
  });
  const peers = scene.peers.map((peer, at) => {
    const place = places[at];
    return place ? drawPeer(peer, place) : node('g', {});
  });
  return node('svg', { viewBox: `0 0 ${width} ${height}`, width: String(width), height: String(height), role: 'img', 'aria-label': `Who feeds whom. ${label}` }, [
    node('defs', {}, [arrowHead('down'), arrowHead('up')]),
    node('path', { class: 'edges far', d: farEdges }),
    node('path', { class: 'edges', d: nearEdges }),
    ...own,
    ...peers,
  ]);
}

function arrowHead(way: string): SVGElement {
  const marker = { id: `head-${way}`, viewBox: '0 0 8 8', refX: '2', refY: '4', markerWidth: '8', markerHeight: '8', markerUnits: 'userSpaceOnUse', orient: 'auto' };
  return node('marker', marker, [node('path', { class: `head ${way}`, d: 'M0 0L8 4L0 8z' })]);
}

function drawPeer(peer: ScenePeer, { x, y, r }: Place): SVGElement {
  const kind = peer.isMe ? 'me' : peer.neighbour ? 'neighbour' : 'other';
  const children = [node('title', {}, [], peerTitle(peer)), shape(peer.origin, 'ring', r)];
  // The area, not the radius, says how much it has.
  if (!peer.isMe) children.push(shape(peer.origin, 'held', Math.max(0, (r - 1.5) * Math.sqrt(peer.held))));
  if (peer.isMe) children.push(node('text', { class: 'name', y: '4' }, [], 'you'));
  if (peer.neighbour) children.push(node('text', { class: 'name', y: '3.8' }, [], String(peer.neighbour.number)));
  const rates = ratesOf(peer);
  if (rates.length > 0) {
    const plate = { class: 'plate', x: String(-PLATE_WIDTH / 2), y: String(r + 2), width: String(PLATE_WIDTH), height: String(12 * rates.length), rx: '3' };
    children.push(node('rect', plate));
  }
  rates.forEach(({ way, bytesPerS }, line) => {
    children.push(node('text', { class: `rate ${way}`, y: String(r + 11 + 12 * line) }, [], `${way === 'down' ? '↓' : '↑'} ${formatSpeed(bytesPerS)}`));
  });
  const full = peer.held > 0.45 ? ' full' : '';
  return node('g', { class: `peer-mark ${kind}${peer.origin ? ' source' : ''}${full}`, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` }, children);
}

/** A square for a source, a circle for others, so that no colour is needed to tell them. */
function shape(origin: boolean, className: string, r: number): SVGElement {
  if (!origin) return node('circle', { class: className, r: r.toFixed(1) });
  const side = (1.8 * r).toFixed(1);
  return node('rect', { class: className, x: (-0.9 * r).toFixed(1), y: (-0.9 * r).toFixed(1), width: side, height: side, rx: (r / 3).toFixed(1) });
}

function node(name: string, attributes: Readonly<Record<string, string>>, children: readonly Node[] = [], text = ''): SVGElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== '') made.textContent = text;
  made.append(...children);
  return made;
}

/** Storage may be forbidden; then the section is closed each time. */
function isRemembered(): boolean {
  try {
    return localStorage.getItem(REMEMBERED) === 'open';
  } catch {
    return false;
  }
}

function remember(open: boolean): void {
  try {
    if (open) localStorage.setItem(REMEMBERED, 'open');
    else localStorage.removeItem(REMEMBERED);
  } catch {
    // It is not remembered.
  }
}
