import { describe, expect, it } from 'vitest';
import type { LinkedPeer } from '../store/state.js';
import { fakeForest, fakePeerId } from '../testing/fake-forest.js';
import { forestUrl, parseForest, type Forest } from './forest.js';
import { layOut, type Drawing, type Place } from './layout.js';
import { relationOf, sceneOf, type Scene } from './scene.js';

const ME = { id: fakePeerId(2), complete: false, held: 0.4 };

function link(number: number, change: Partial<LinkedPeer> = {}): LinkedPeer {
  return { id: fakePeerId(number), agent: 'Chrome 156', role: 'lateral', stripesDown: 0, stripesUp: 0, held: 0.5, receivedBytes: 0, sentBytes: 0, downBytesPerS: 0, upBytesPerS: 0, roundTripMs: null, ...change };
}

const LINKS = [link(0, { stripesDown: 2, downBytesPerS: 9_000_000 }), link(7, { stripesDown: 1, stripesUp: 1, downBytesPerS: 4e5, upBytesPerS: 3e5 }), link(9, { stripesUp: 1, upBytesPerS: 2e5 }), link(11)];

const forest = (peers: number, options = {}): Forest => parseForest(fakeForest(peers, options)) as Forest;

describe('the picture of a tracker', () => {
  it('is asked for where the tracker is', () => {
    expect(forestUrl('wss://tracker.example/ws', 'ab')).toBe('https://tracker.example/swarms/ab/forest.json');
    expect(forestUrl('ws://127.0.0.1:80/below/ws', 'ab')).toBe('http://127.0.0.1/below/swarms/ab/forest.json');
    expect(forestUrl('http://host:81', 'ab')).toBe('http://host:81/swarms/ab/forest.json');
    expect(forestUrl('ftp://host', 'ab')).toBeNull();
    expect(forestUrl('nonsense', 'ab')).toBeNull();
  });

  it.each([null, 7, 'text', [], {}, { peers: 3 }])('is none if it is %j', (json) => expect(parseForest(json)).toBeNull());

  it('is believed only where it makes sense', () => {
    const peers = [{ id: '<b>', depth: -3, held_permille: 9e9, parents: [0, 1, 1, 2, 7, -1, 0.5, 'x', null] }, null, { id: 'ABCDEF01', depth: Infinity, parents: 'all' }];
    expect(parseForest({ left_out: 'many', peers })).toEqual({
      leftOut: 0,
      peers: [
        { id: '', origin: false, complete: false, held: 1, depth: 0, parents: [1, 2] },
        { id: '', origin: false, complete: false, held: 0, depth: null, parents: [] },
        { id: '', origin: false, complete: false, held: 0, depth: 0, parents: [] },
      ],
    });
    expect(parseForest({ peers: Array.from({ length: 5_000 }, () => ({})) })?.peers).toHaveLength(200);
  });
});

describe('who is in the drawing', () => {
  it('is this browser alone where nothing is known', () => {
    const scene = sceneOf(null, { ...ME, id: '' }, []);
    expect(scene.peers).toHaveLength(1);
    expect(scene.peers[scene.me]).toMatchObject({ isMe: true, row: 0, held: 0.4 });
  });

  it('is what its own links tell where the tracker shows nothing', () => {
    const scene = sceneOf(null, ME, LINKS);
    expect(scene.hasForest).toBe(false);
    const rows = scene.peers.map(({ isMe, neighbour, row }) => [isMe ? 'me' : neighbour && relationOf(neighbour.link), row]);
    expect(rows).toEqual([['me', 1], ['feeds', 0], ['both', 0], ['fed', 2], ['spare', 1]]);
  });

  it('is all that the tracker shows, with this browser and its neighbours in their places', () => {
    const scene = sceneOf(forest(12), ME, LINKS);
    expect(scene.peers).toHaveLength(12);
    expect(scene.me).toBe(2);
    expect(scene.peers.filter(({ neighbour }) => neighbour).map(({ id, neighbour }) => [id, neighbour?.number])).toEqual([0, 7, 9, 11].map((number, at) => [fakePeerId(number).slice(0, 8), at + 1]));
    expect(scene.peers[0]).toMatchObject({ origin: true, row: 0 });
  });

  it('is this browser too, and its neighbours, where the tracker left them out', () => {
    const scene = sceneOf(forest(200, { leftOut: 100 }), { ...ME, id: fakePeerId(250) }, [link(0, { stripesDown: 1 }), link(251, { stripesUp: 1 })]);
    expect(scene.peers).toHaveLength(202);
    expect(scene.leftOut).toBe(98);
    expect(scene.peers[scene.me]).toMatchObject({ isMe: true, row: 1 });
    expect(scene.peers[201]).toMatchObject({ row: 2, neighbour: { number: 2 } });
  });
});

describe('the drawing', () => {
  const swarms: [string, Scene][] = [
    ['alone', sceneOf(null, ME, [])],
    ['its links only', sceneOf(null, ME, LINKS)],
    ['12 peers', sceneOf(forest(12), ME, LINKS)],
    ['40 peers', sceneOf(forest(40), ME, LINKS)],
    ['200 peers', sceneOf(forest(200), ME, LINKS)],
    ['64 neighbours', sceneOf(null, ME, Array.from({ length: 64 }, (_, at) => link(at + 3, { stripesDown: 1, downBytesPerS: 1e5 })))],
  ];
  const cases = swarms.flatMap(([name, scene]) => [280, 672].map((width) => [name, width, scene] as const));

  it.each(cases)('of %s keeps within %i pixels, and no two lie upon each other', (_name, width, scene) => {
    const { places, height } = layOut(scene, width);
    expect(places).toHaveLength(scene.peers.length);
    for (const { x, y, r } of places) {
      expect(x - r).toBeGreaterThanOrEqual(0);
      expect(x + r).toBeLessThanOrEqual(width);
      expect(y - r).toBeGreaterThanOrEqual(0);
      expect(y + r).toBeLessThanOrEqual(height);
    }
    expect(overlaps(places)).toEqual([]);
  });

  it.each(cases)('of %s at %i has each row below the one before, and every edge in the box', (_name, width, scene) => {
    const drawing = layOut(scene, width);
    const tops = scene.peers.map(({ row }, at) => ({ row, y: drawing.places[at]?.y ?? 0 }));
    for (const one of tops) for (const other of tops) if (one.row < other.row) expect(one.y).toBeLessThan(other.y);
    for (const y of heightsOf(drawing)) expect(y).toBeLessThanOrEqual(drawing.height);
  });

  it('shows what comes and what goes, as wide as it is much', () => {
    const { ownEdges } = layOut(sceneOf(forest(12), ME, LINKS), 600);
    expect(ownEdges.map(({ peer, way }) => [peer, way])).toEqual([[0, 'down'], [7, 'down'], [7, 'up'], [9, 'up'], [11, 'spare']]);
    expect(ownEdges[0]?.share).toBe(1);
    expect(ownEdges[3]?.share).toBeLessThan(0.03);
  });

  it('of the same swarm is the same', () => {
    expect(layOut(sceneOf(forest(40), ME, LINKS), 600)).toEqual(layOut(sceneOf(forest(40), ME, LINKS), 600));
  });

  it('of a crowd leaves out all but the nearest feeders', () => {
    expect(layOut(sceneOf(forest(40), ME, LINKS), 600).farEdges).not.toBe('');
    expect(layOut(sceneOf(forest(200), ME, LINKS), 600).farEdges).toBe('');
  });
});

function overlaps(places: readonly Place[]): string[] {
  const pairs = places.flatMap((one, at) => places.slice(at + 1).map((other) => [one, other] as const));
  return pairs.filter(([one, other]) => Math.hypot(one.x - other.x, one.y - other.y) < one.r + other.r).map((pair) => JSON.stringify(pair));
}

/** The heights of all points that the paths name: a curve lies within them. */
function heightsOf({ nearEdges, farEdges, ownEdges }: Drawing): number[] {
  const paths = [nearEdges, farEdges, ...ownEdges.map(({ path }) => path)].join('');
  return [...paths.matchAll(/[\d.-]+ ([\d.-]+)/g)].map(([, y]) => Number(y));
}
