/**
 * Who is in the drawing, and who feeds whom: the tracker's picture, where there is one, and what this browser's own
 * links tell, which is always there and always right. A pure function.
 */

import type { LinkedPeer } from '../store/state.js';
import { ID_DIGITS, type Forest, type ForestPeer } from './forest.js';

/** One peer of the drawing. */
export interface ScenePeer {
  readonly id: string;
  readonly isMe: boolean;
  readonly origin: boolean;
  readonly complete: boolean;
  /** 0 to 1. */
  readonly held: number;
  /** The row that it stands in, from 0 without gaps. */
  readonly row: number;
  /** Those that feed it, by their place in the list; the nearest to the source first. */
  readonly parents: readonly number[];
  /** This browser's link to it. */
  readonly neighbour: Neighbour | null;
}

/** A linked peer, with the number that the drawing and the table call it by. */
export interface Neighbour {
  readonly number: number;
  readonly link: LinkedPeer;
}

export interface Scene {
  readonly peers: readonly ScenePeer[];
  /** This browser's place in the list. */
  readonly me: number;
  /** Peers of the swarm that are not shown. */
  readonly leftOut: number;
  /** Whether the tracker's picture is part of it. */
  readonly hasForest: boolean;
}

/** This browser. */
export interface Myself {
  /** Its id; empty until it has one. */
  readonly id: string;
  readonly complete: boolean;
  /** 0 to 1. */
  readonly held: number;
}

/** What a link is to this browser. */
export type Relation = 'feeds' | 'fed' | 'both' | 'spare';

export function relationOf(link: LinkedPeer): Relation {
  const feeds = link.stripesDown > 0;
  const fed = link.stripesUp > 0;
  if (feeds && fed) return 'both';
  if (feeds || fed) return feeds ? 'feeds' : 'fed';
  return 'spare';
}

interface Draft extends Omit<ScenePeer, 'row' | 'parents'> {
  depth: number | null;
  readonly parents: readonly number[];
}

export function sceneOf(forest: Forest | null, myself: Myself, links: readonly LinkedPeer[]): Scene {
  const neighbours = new Map(links.map((link, at) => [shortId(link.id), { number: at + 1, link }]));
  const mine = shortId(myself.id);
  const drafts = (forest?.peers ?? []).map((peer) => draftOf(peer, peer.id !== '' && peer.id === mine, neighbours));
  let me = drafts.findIndex(({ isMe }) => isMe);
  if (me < 0) me = drafts.push({ ...NOBODY, id: mine, isMe: true }) - 1;
  for (const [id, neighbour] of neighbours) {
    if (!drafts.some((draft) => draft.neighbour === neighbour)) drafts.push({ ...NOBODY, id, neighbour });
  }
  const known = drafts.map((draft) => knownHere(draft, myself));
  const peers = inRows(placeMissing(known, me));
  return { peers, me, leftOut: Math.max(0, (forest?.leftOut ?? 0) - (drafts.length - (forest?.peers.length ?? 0))), hasForest: forest !== null };
}

const NOBODY: Draft = { id: '', isMe: false, origin: false, complete: false, held: 0, depth: null, parents: [], neighbour: null };

function draftOf(peer: ForestPeer, isMe: boolean, neighbours: ReadonlyMap<string, Neighbour>): Draft {
  return { ...peer, isMe, neighbour: isMe ? null : (neighbours.get(peer.id) ?? null) };
}

function shortId(id: string): string {
  return id.slice(0, ID_DIGITS);
}

/** What is known here is newer than what the tracker was told. */
function knownHere(draft: Draft, myself: Myself): Draft {
  const held = draft.isMe ? myself.held : (draft.neighbour?.link.held ?? draft.held);
  const complete = draft.isMe ? myself.complete : draft.complete || held >= 1;
  return { ...draft, held: complete ? 1 : held, complete };
}

/** Gives a depth to those of whom the tracker tells none: above or below this browser, as its links tell. */
function placeMissing(drafts: readonly Draft[], me: number): Draft[] {
  const known = drafts.map(({ depth }) => depth).filter((depth) => depth !== null);
  const feeders = drafts.filter(({ neighbour }) => neighbour && relationOf(neighbour.link) !== 'fed' && relationOf(neighbour.link) !== 'spare');
  const above = Math.min(...feeders.map(({ depth }) => depth ?? 0));
  const myDepth = drafts[me]?.depth ?? (feeders.length > 0 ? above + 1 : Math.max(0, ...known));
  return drafts.map((draft, at) => {
    if (draft.depth !== null) return draft;
    return { ...draft, depth: at === me ? myDepth : Math.max(0, myDepth + STEP[draft.neighbour ? relationOf(draft.neighbour.link) : 'fed']) };
  });
}

const STEP: Record<Relation, number> = { feeds: -1, both: -1, fed: 1, spare: 0 };

/** Turns depths into rows without gaps, and puts each peer's nearest parent first. */
function inRows(drafts: readonly Draft[]): ScenePeer[] {
  const depths = [...new Set(drafts.map(({ depth }) => depth ?? 0))].sort((a, b) => a - b);
  const depthOf = (at: number): number => drafts[at]?.depth ?? 0;
  return drafts.map(({ depth, parents, ...peer }) => ({
    ...peer,
    row: depths.indexOf(depth ?? 0),
    parents: [...parents].sort((a, b) => depthOf(a) - depthOf(b) || a - b),
  }));
}
