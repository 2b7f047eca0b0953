/** What the section "Who feeds whom" says, as pure functions. */

import type { LinkedPeer } from './state.js';
import { formatBytes, formatCount, formatPercent, formatSpeed } from './format.js';
import { relationOf, type Relation, type Scene, type ScenePeer } from '../forest/scene.js';
import { programName } from './words.js';

/** One row of the table. */
export interface NeighbourRow {
  readonly number: string;
  readonly name: string;
  readonly relation: string;
  readonly down: string;
  readonly up: string;
  readonly received: string;
}

const RELATIONS: Record<Relation, string> = {
  feeds: 'feeds you',
  fed: 'you feed it',
  both: 'feeds you, you feed it',
  spare: 'spare',
};

const NOTHING = '–';

export function neighbourRows(links: readonly LinkedPeer[]): NeighbourRow[] {
  return links.map((link, at) => ({
    number: String(at + 1),
    name: programName(link.agent),
    relation: RELATIONS[relationOf(link)],
    down: link.downBytesPerS > 0 ? formatSpeed(link.downBytesPerS) : NOTHING,
    up: link.upBytesPerS > 0 ? formatSpeed(link.upBytesPerS) : NOTHING,
    received: link.receivedBytes > 0 ? formatBytes(link.receivedBytes) : NOTHING,
  }));
}

/** `3 feed you, you feed 2, 1 is spare.` */
export function flowSummary(links: readonly LinkedPeer[], complete: boolean): string {
  if (links.length === 0) return complete ? 'You have everything; nobody takes it from you right now.' : 'Nobody is connected with you yet.';
  const count = (...wanted: Relation[]): number => links.filter((link) => wanted.includes(relationOf(link))).length;
  const [feeding, fed, spare] = [count('feeds', 'both'), count('fed', 'both'), count('spare')];
  const parts = [
    complete ? 'you have everything' : feeding === 0 ? 'nobody feeds you now' : `${feeding} ${feeding === 1 ? 'feeds' : 'feed'} you`,
    fed === 0 ? 'you feed nobody' : `you feed ${fed}`,
    ...(spare === 0 ? [] : [`${spare} ${spare === 1 ? 'is' : 'are'} spare`]),
  ];
  const text = parts.join(', ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** What is not in the drawing, and why. */
export function drawingNote(scene: Scene): string {
  if (!scene.hasForest) return 'The tracker shows no picture of the others now, so these are your own connections only.';
  return scene.leftOut > 0 ? `${formatCount(scene.leftOut, 'more peer is', 'more peers are')} not drawn.` : '';
}

/** What is shown when pointing at a peer. */
export function peerTitle(peer: ScenePeer): string {
  const who = peer.isMe ? 'This browser' : peer.neighbour ? `${peer.neighbour.number}: ${programName(peer.neighbour.link.agent)}` : `Peer ${peer.id}`;
  if (peer.complete) return `${who}, has ${peer.origin ? 'had ' : ''}everything${peer.origin ? ' from the start' : ''}`;
  return `${who}, has ${formatPercent(peer.held)}`;
}
