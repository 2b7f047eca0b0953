/**
 * Where everything goes: rows from the source downwards, each cut into lines that fit, peers below those that feed
 * them. A pure function of the scene and the width, so that the same swarm looks the same each time.
 */

import { relationOf, type Scene, type ScenePeer } from './scene.js';

export interface Place {
  readonly x: number;
  readonly y: number;
  readonly r: number;
}

/** An edge of this browser. */
export interface OwnEdge {
  /** The neighbour's place in the scene. */
  readonly peer: number;
  readonly way: 'down' | 'up' | 'spare';
  readonly path: string;
  /** Its share of what the busiest edge carries, 0 to 1. */
  readonly share: number;
}

export interface Drawing {
  readonly width: number;
  readonly height: number;
  /** By peer. */
  readonly places: readonly Place[];
  /** Who feeds whom beside this browser, as one path: from each peer's nearest feeder, and from its others. */
  readonly nearEdges: string;
  readonly farEdges: string;
  readonly ownEdges: readonly OwnEdge[];
}

export const RADIUS = { me: 16, neighbour: 10, other: 5, crowd: 3.5 } as const;
/** From so many peers on the others are dots, and only their nearest feeders are drawn. */
const CROWD = 60;
const MARGIN = 8;
const LINE_GAP = 5;
const ROW_GAP = 34;
const TEXT_HEIGHT = 12;
/** Room for `↓ 2.9 MB/s` below a neighbour. */
const LABEL_WIDTH = 66;

interface Cell {
  readonly at: number;
  readonly width: number;
  readonly radius: number;
  /** Lines of text below the circle. */
  readonly texts: number;
}

export function layOut(scene: Scene, width: number): Drawing {
  const places: Place[] = [];
  const middle = width / 2;
  let y = MARGIN;
  for (const row of rowsOf(scene.peers)) {
    const wish = new Map(row.map((at) => [at, wishedX(scene.peers[at], places) ?? middle]));
    const cells = row.map((at) => cellOf(scene, at)).sort((a, b) => (wish.get(a.at) ?? 0) - (wish.get(b.at) ?? 0) || a.at - b.at);
    centre(cells, scene);
    for (const line of linesOf(cells, width - 2 * MARGIN)) {
      const radius = Math.max(...line.map((cell) => cell.radius));
      const texts = Math.max(...line.map((cell) => cell.texts));
      setLine(line, width, y + radius, places);
      y += 2 * radius + texts * TEXT_HEIGHT + LINE_GAP;
    }
    y += ROW_GAP;
  }
  const bottom = Math.max(y - ROW_GAP - LINE_GAP, lowestBow(scene, places));
  return { width, height: Math.ceil(bottom + MARGIN), places, ...othersEdges(scene, places), ownEdges: ownEdges(scene, places) };
}

function rowsOf(peers: readonly ScenePeer[]): number[][] {
  const rows: number[][] = [];
  peers.forEach(({ row }, at) => (rows[row] ??= []).push(at));
  return rows.filter((row) => row.length > 0);
}

/** This browser stands in the middle of its row where nothing pulls it elsewhere. */
function centre(cells: Cell[], { peers, me }: Scene): void {
  const from = cells.findIndex(({ at }) => at === me);
  if (from >= 0 && peers[me]?.parents.length === 0) cells.splice(cells.length >> 1, 0, ...cells.splice(from, 1));
}

/** The mean of its feeders, as far as they are placed. */
function wishedX(peer: ScenePeer | undefined, places: readonly (Place | undefined)[]): number | null {
  const above = (peer?.parents ?? []).map((parent) => places[parent]?.x).filter((x) => x !== undefined);
  return above.length === 0 ? null : above.reduce((sum, x) => sum + x, 0) / above.length;
}

function cellOf({ peers }: Scene, at: number): Cell {
  const peer = peers[at];
  if (peer?.isMe) return { at, width: 2 * RADIUS.me + 24, radius: RADIUS.me, texts: 0 };
  if (peer?.neighbour) {
    const texts = ratesOf(peer).length;
    return { at, width: texts > 0 ? LABEL_WIDTH : 2 * RADIUS.neighbour + 8, radius: RADIUS.neighbour, texts };
  }
  const radius = peers.length > CROWD ? RADIUS.crowd : RADIUS.other;
  return { at, width: peers.length > CROWD ? 11 : 20, radius, texts: 0 };
}

/** What a neighbour's edges carry now: what is written below it. */
export function ratesOf(peer: ScenePeer): { readonly way: 'down' | 'up'; readonly bytesPerS: number }[] {
  const link = peer.neighbour?.link;
  if (!link) return [];
  const both = [{ way: 'down', bytesPerS: link.downBytesPerS } as const, { way: 'up', bytesPerS: link.upBytesPerS } as const];
  return both.filter(({ bytesPerS }) => bytesPerS > 0);
}

/** Cuts a row into the fewest lines that fit. Each goes from left to right over the whole row, so that feeders stay near. */
function linesOf(cells: readonly Cell[], width: number): Cell[][] {
  const widthOf = (line: readonly Cell[]): number => line.reduce((sum, cell) => sum + cell.width, 0);
  for (let count = Math.max(1, Math.ceil(widthOf(cells) / width)); count < cells.length; count += 1) {
    const lines: Cell[][] = Array.from({ length: count }, () => []);
    cells.forEach((cell, at) => lines[at % count]?.push(cell));
    if (lines.every((line) => widthOf(line) <= width)) return lines;
  }
  return cells.map((cell) => [cell]);
}

/** Places a line in the middle, with some air if there is room. */
function setLine(line: readonly Cell[], width: number, y: number, places: Place[]): void {
  const taken = line.reduce((sum, cell) => sum + cell.width, 0);
  const stretch = Math.min(3, Math.max(1, (width - 2 * MARGIN) / taken));
  let x = (width - taken * stretch) / 2;
  for (const cell of line) {
    places[cell.at] = { x: x + (cell.width * stretch) / 2, y, r: cell.radius };
    x += cell.width * stretch;
  }
}

function othersEdges({ peers, me }: Scene, places: readonly Place[]): Pick<Drawing, 'nearEdges' | 'farEdges'> {
  const near: string[] = [];
  const far: string[] = [];
  peers.forEach((peer, at) => {
    if (at === me) return;
    peer.parents.forEach((parent, index) => {
      const [from, to] = [places[parent], places[at]];
      if (parent === me || !from || !to) return;
      if (index === 0) near.push(edge(from, to));
      else if (peers.length <= CROWD) far.push(edge(from, to));
    });
  });
  return { nearEdges: near.join(''), farEdges: far.join('') };
}

function ownEdges({ peers, me }: Scene, places: readonly Place[]): OwnEdge[] {
  const mine = places[me];
  if (!mine) return [];
  const edges: (Omit<OwnEdge, 'share'> & { bytesPerS: number })[] = [];
  peers.forEach(({ neighbour }, peer) => {
    const place = places[peer];
    if (!neighbour || !place) return;
    const { link } = neighbour;
    const relation = relationOf(link);
    const down = relation === 'feeds' || relation === 'both' || link.downBytesPerS > 0;
    const up = relation === 'fed' || relation === 'both' || link.upBytesPerS > 0;
    const aside = down && up ? 5 : 0;
    if (down) edges.push({ peer, way: 'down', path: edge(place, mine, -aside, ARROW), bytesPerS: link.downBytesPerS });
    if (up) edges.push({ peer, way: 'up', path: edge(mine, place, aside, ARROW), bytesPerS: link.upBytesPerS });
    if (!down && !up) edges.push({ peer, way: 'spare', path: edge(place, mine), bytesPerS: 0 });
  });
  const most = Math.max(1, ...edges.map(({ bytesPerS }) => bytesPerS));
  return edges.map(({ bytesPerS, ...rest }) => ({ ...rest, share: bytesPerS / most }));
}

/** Room that an arrow's head takes before the circle. */
const ARROW = 5;

function isBow(from: Place, to: Place): boolean {
  return Math.abs(from.y - to.y) < from.r + to.r;
}

/** How far down the control points of a bow are; the curve goes three quarters of it. */
function bowOf(from: Place, to: Place): number {
  return Math.min(46, 14 + Math.abs(from.x - to.x) / 5);
}

/** Where the lowest bow that is drawn ends. */
function lowestBow({ peers, me }: Scene, places: readonly Place[]): number {
  const mine = places[me];
  const pairs = peers.flatMap(({ parents, neighbour }, at) => [
    ...(neighbour ? [[places[at], mine]] : []),
    ...(peers.length > CROWD ? parents.slice(0, 1) : parents).map((parent) => [places[parent], places[at]]),
  ]);
  const bows = pairs.map(([from, to]) => (from && to && isBow(from, to) ? Math.max(from.y + from.r, to.y + to.r) + bowOf(from, to) : 0));
  return Math.max(0, ...bows);
}

/** A curve that leaves and arrives upright; between neighbours of one row, a bow below them. */
function edge(from: Place, to: Place, aside = 0, head = 0): string {
  const [x1, x2] = [from.x + aside, to.x + aside];
  if (isBow(from, to)) {
    const bow = bowOf(from, to) + Math.abs(aside);
    const [y1, y2] = [from.y + from.r, to.y + to.r + head];
    return `M${at(x1, y1)}C${at(x1, y1 + bow)} ${at(x2, y2 + bow)} ${at(x2, y2)}`;
  }
  const way = from.y < to.y ? 1 : -1;
  const [y1, y2] = [from.y + way * from.r, to.y - way * (to.r + head)];
  const bend = (y2 - y1) / 2;
  return `M${at(x1, y1)}C${at(x1, y1 + bend)} ${at(x2, y2 - bend)} ${at(x2, y2)}`;
}

function at(x: number, y: number): string {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}
