/** A tracker's picture that pretends, for tests and the gallery. Never part of what is shipped. */

/** A number between 0 and 1 that only depends on `at`. */
function noise(at: number): number {
  const x = Math.sin(at * 12.9898) * 43758.5453;
  return x - Math.floor(x);
}

export function fakeId(number: number): string {
  return (0x10000000 + number * 0x1003f).toString(16).slice(0, 8);
}

/** A swarm of `peers` with one source, in `stripes` trees of which each peer is interior in one. As the tracker tells it. */
export function fakeForest(peers: number, { stripes = 8, fanOut = 8, leftOut = 0 } = {}): unknown {
  const parents: (number | null)[][] = Array.from({ length: peers }, () => Array.from({ length: stripes }, () => null));
  const depths = Array.from({ length: peers }, (): number => 64);
  depths[0] = 0;
  for (let stripe = 0; stripe < stripes; stripe += 1) {
    // Those at home in this stripe come first, so they are its interiors.
    const others = Array.from({ length: peers - 1 }, (_, at) => at + 1);
    const order = [0, ...others.filter((at) => at % stripes === stripe), ...others.filter((at) => at % stripes !== stripe)];
    const depth = new Map([[0, 0]]);
    order.slice(1).forEach((peer, at) => {
      const parent = order[at === 0 ? 0 : 1 + Math.floor((at - 1) / fanOut)] ?? 0;
      (parents[peer] ??= [])[stripe] = parent;
      depth.set(peer, (depth.get(parent) ?? 0) + 1);
      depths[peer] = Math.min(depths[peer] ?? 64, depth.get(peer) ?? 64);
    });
  }
  return {
    stripes,
    peers_total: peers + leftOut,
    left_out: leftOut,
    peers: parents.map((above, at) => ({
      id: fakeId(at),
      origin: at === 0,
      complete: at === 0 || at % 23 === 5,
      held_permille: at === 0 || at % 23 === 5 ? 1000 : Math.floor(1000 * Math.min(0.97, 0.15 + 0.75 * noise(at))),
      depth: depths[at],
      children: parents.flat().filter((parent) => parent === at).length,
      up_bytes_per_s: null,
      parents: above,
    })),
  };
}

/** A whole id whose beginning is that of a peer of the picture. */
export function fakePeerId(number: number): string {
  return fakeId(number).padEnd(32, '0');
}
