/**
 * The progress bar is a braid: three branches, interlaced as a hedge is pleached, that grow from left to right.
 *
 * Strand k follows y = sin(x + k·120°), and lies above the others where sin(2(x + k·120°)) > 0: the projection of a
 * true three-strand braid. At each crossing one of the two is above and the other below, so it is enough to draw all
 * lower quarters, then all upper ones, each upper one with a casing in the colour of the ground.
 */

/** One period, in CSS pixels. */
const TILE_WIDTH = 66;
const STRANDS = 3;
const QUARTER = TILE_WIDTH / 4;

/** Control points of the cubic that follows a quarter of a sine to 0.1 %: x in quarters, y in amplitudes. */
const BEND = { x1: 0.51229 / (Math.PI / 2), y1: 0.51229, x2: 1.00231 / (Math.PI / 2), y2: 1 } as const;

/** A quarter of a sine that begins at `x`; `index` tells which. */
function quarterPath(x: number, index: number, middle: number, amplitude: number): string {
  const sign = index % 4 < 2 ? -1 : 1;
  const rising = index % 2 === 0;
  const at = (dx: number, dy: number): string => {
    const px = rising ? x + dx * QUARTER : x + (1 - dx) * QUARTER;
    return `${px.toFixed(2)} ${(middle + sign * amplitude * dy).toFixed(2)}`;
  };
  return `M${at(0, 0)}C${at(BEND.x1, BEND.y1)} ${at(BEND.x2, BEND.y2)} ${at(1, 1)}`;
}

/** One period of the braid, as the inside of an SVG pattern. Colours come by class from the style sheet. */
function tile(height: number, amplitude: number): string {
  const lower: string[] = [];
  const upper: string[] = [];
  for (let strand = 0; strand < STRANDS; strand += 1) {
    const shift = (-strand * TILE_WIDTH) / STRANDS;
    // From one period before to one after, so that the tile is full at both edges.
    for (let index = 0; index < 12; index += 1) {
      const path = quarterPath(shift + index * QUARTER - QUARTER * 4, index, height / 2, amplitude);
      const layer = index % 2 === 0 ? upper : lower;
      if (layer === upper) layer.push(`<path class="casing" d="${path}"/>`);
      layer.push(`<path class="strand strand-${strand}" d="${path}"/>`);
    }
  }
  return lower.join('') + upper.join('');
}

/** A braid as wide as its box. `id` must be unique in the tree that it is put in. */
export function braidSvg(id: string, height: number): string {
  return `<svg class="braid" aria-hidden="true" focusable="false" height="${height}">
    <defs><pattern id="${id}" width="${TILE_WIDTH}" height="${height}" patternUnits="userSpaceOnUse">${tile(height, height / 2 - 4)}</pattern></defs>
    <rect width="100%" height="${height}" fill="url(#${id})"/>
  </svg>`;
}
