/**
 * The tracker's picture of a swarm: who feeds whom, as numbers. It comes from a server that may be anybody's, so it is
 * read into what is known to be right, or not at all.
 */

/** One peer of a picture. */
export interface ForestPeer {
  /** The first eight digits of its id. */
  readonly id: string;
  /** It had everything when it came. */
  readonly origin: boolean;
  readonly complete: boolean;
  /** 0 to 1. */
  readonly held: number;
  /** Edges to the nearest root; `null` if nothing can reach it. */
  readonly depth: number | null;
  /** The numbers of those that feed it, each once. */
  readonly parents: readonly number[];
}

export interface Forest {
  /** Peers of the swarm that are not in the list. */
  readonly leftOut: number;
  readonly peers: readonly ForestPeer[];
}

/** A tracker shows no more. */
const PEERS_MAX = 200;
const STRIPES_MAX = 16;
/** Deeper than any tree of so many. */
const DEPTH_MAX = 64;

/** Digits of an id that a picture tells. */
export const ID_DIGITS = 8;

/** Where a tracker shows the picture of a content's swarm; `null` if its address is of no known form. */
export function forestUrl(trackerUrl: string, content: string): string | null {
  if (!URL.canParse(trackerUrl)) return null;
  const url = new URL(trackerUrl);
  const scheme = /^(?:ws|http)(s?):$/u.exec(url.protocol);
  if (!scheme) return null;
  const prefix = url.pathname.endsWith('/ws') ? url.pathname.slice(0, -'/ws'.length) : '';
  return `http${scheme[1]}://${url.host}${prefix}/swarms/${content}/forest.json`;
}

/** Reads a picture; `null` if it is none. */
export function parseForest(json: unknown): Forest | null {
  const { left_out: leftOut, peers } = record(json);
  if (!Array.isArray(peers)) return null;
  const shown = peers.slice(0, PEERS_MAX);
  return { leftOut: count(leftOut), peers: shown.map((peer, number) => parsePeer(record(peer), number, shown.length)) };
}

function parsePeer(peer: Record<string, unknown>, number: number, peers: number): ForestPeer {
  const { id, origin, complete, held_permille: held, depth, parents } = peer;
  const above = Array.isArray(parents) ? parents.slice(0, STRIPES_MAX) : [];
  const isOther = (parent: unknown): parent is number => Number.isInteger(parent) && Number(parent) >= 0 && Number(parent) < peers && parent !== number;
  return {
    id: typeof id === 'string' && /^[0-9a-f]{8}$/u.test(id) ? id : '',
    origin: origin === true,
    complete: complete === true,
    held: Math.min(1, count(held) / 1000),
    depth: typeof depth === 'number' ? Math.min(count(depth), DEPTH_MAX) : null,
    parents: [...new Set(above.filter(isOther))],
  };
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.floor(value) : 0;
}
