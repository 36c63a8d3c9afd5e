/** An image of few colours: each pixel is a place in the palette. */
export interface IndexedImage {
  /** Red, green and blue, 0 to 255 each. */
  readonly palette: readonly (readonly [number, number, number])[];
  readonly pixels: Uint8Array;
}

/** The level of a channel below which two colours are one. */
const STEP_BITS = 3;

/**
 * Gives an image with 256 colours at most: those that it has most of, and for the rest the nearest of them. It suits plots, of which
 * most is ground, lines and text. Pixels are RGBA; what is transparent is mixed with white.
 */
export function toIndexed(rgba: Uint8Array, maxColors = 256): IndexedImage {
  const colors = new Uint32Array(rgba.length / 4);
  for (let at = 0; at < colors.length; at += 1) colors[at] = overWhite(rgba, at * 4);
  const exact = countOf(colors);
  const kept = exact.size <= maxColors ? [...exact.keys()] : mostFrequent(colors, maxColors);
  const nearest = new Map<number, number>(kept.map((color, index) => [color, index]));
  const pixels = new Uint8Array(colors.length);
  for (const [at, color] of colors.entries()) {
    let index = nearest.get(color);
    if (index === undefined) {
      index = nearestOf(kept, color);
      nearest.set(color, index);
    }
    pixels[at] = index;
  }
  return { palette: kept.map((color) => [red(color), green(color), blue(color)]), pixels };
}

/** Coarse colours, so that the shades of one are not many. */
function mostFrequent(colors: Uint32Array, count: number): number[] {
  const mask = (0xff << STEP_BITS) & 0xff;
  const half = 1 << (STEP_BITS - 1);
  const coarse = colors.map((color) => ((red(color) & mask) << 16) | ((green(color) & mask) << 8) | (blue(color) & mask));
  const byCount = [...countOf(coarse)].sort(([, a], [, b]) => b - a);
  // White stays white.
  return byCount
    .slice(0, count)
    .map(([color]) => (color === ((mask << 16) | (mask << 8) | mask) ? 0xff_ff_ff : color + half * 0x1_01_01));
}

function countOf(colors: Uint32Array): Map<number, number> {
  const counts = new Map<number, number>();
  for (const color of colors) counts.set(color, (counts.get(color) ?? 0) + 1);
  return counts;
}

function nearestOf(palette: readonly number[], color: number): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const [index, other] of palette.entries()) {
    const distance = (red(other) - red(color)) ** 2 + (green(other) - green(color)) ** 2 + (blue(other) - blue(color)) ** 2;
    if (distance < least) [best, least] = [index, distance];
  }
  return best;
}

function overWhite(rgba: Uint8Array, at: number): number {
  const alpha = rgba[at + 3] ?? 255;
  const mixed = (channel: number): number => Math.round(((rgba[at + channel] ?? 0) * alpha + 255 * (255 - alpha)) / 255);
  return (mixed(0) << 16) | (mixed(1) << 8) | mixed(2);
}

const red = (color: number): number => (color >> 16) & 0xff;
const green = (color: number): number => (color >> 8) & 0xff;
const blue = (color: number): number => color & 0xff;
