import { PNG } from "pngjs";
import { type IndexedImage, toIndexed } from "./palette.ts";
import type { Picture } from "./picture.ts";

/** Columns of common fonts are about so wide. */
const COLUMN_PIXELS = 10;

/** What is larger takes long, and much memory; it is saved instead. */
const MAX_PIXELS = 4_000_000;

/** Rows of pixels in one row of sixels. */
const BAND = 6;

/** A picture as sixels; undefined when it is no PNG that can be read, or too large. */
export function sixelImage({ mimeType, data, width, height }: Picture, columns: number): string | undefined {
  if (mimeType !== "image/png" || width * height === 0 || width * height > MAX_PIXELS) return undefined;
  try {
    const png = PNG.sync.read(Buffer.from(data));
    const newWidth = Math.min(png.width, columns * COLUMN_PIXELS);
    const newHeight = Math.max(1, Math.round((png.height * newWidth) / png.width));
    const indexed = toIndexed(shrink(png, newWidth, newHeight));
    return encode(indexed, newWidth, newHeight);
  } catch {
    return undefined;
  }
}

/** What would be cut off at the right is made as wide as the window; each pixel is one of the original's. */
function shrink({ data, width, height }: PNG, newWidth: number, newHeight: number): Uint8Array {
  if (newWidth === width) return data;
  const shrunk = new Uint8Array(newWidth * newHeight * 4);
  for (let y = 0; y < newHeight; y += 1) {
    const row = Math.floor((y * height) / newHeight) * width;
    for (let x = 0; x < newWidth; x += 1) {
      const from = (row + Math.floor((x * width) / newWidth)) * 4;
      shrunk.set(data.subarray(from, from + 4), (y * newWidth + x) * 4);
    }
  }
  return shrunk;
}

/** Each row of sixels is written once for each colour in it. */
function encode({ palette, pixels }: IndexedImage, width: number, height: number): string {
  const percent = (level: number): number => Math.round((level * 100) / 255);
  const colors = palette.map((levels, index) => `#${index};2;${levels.map(percent).join(";")}`);
  const parts = [`\u001bP0;1q"1;1;${width};${height}`, ...colors];
  for (let top = 0; top < height; top += BAND) {
    const layers = new Map<number, Uint8Array>();
    for (let y = top; y < Math.min(top + BAND, height); y += 1) {
      for (let x = 0; x < width; x += 1) {
        const color = pixels[y * width + x] ?? 0;
        const layer = layers.get(color) ?? new Uint8Array(width);
        layers.set(color, layer);
        layer[x] = (layer[x] ?? 0) | (1 << (y - top));
      }
    }
    for (const [color, layer] of layers) parts.push(`#${color}${runs(layer)}$`);
    parts.push("-");
  }
  return `${parts.join("")}\u001b\\`;
}

function runs(layer: Uint8Array): string {
  let text = "";
  for (let from = 0; from < layer.length;) {
    let to = from + 1;
    while (to < layer.length && layer[to] === layer[from]) to += 1;
    const sixel = String.fromCharCode(63 + (layer[from] ?? 0));
    text += to - from > 3 ? `!${to - from}${sixel}` : sixel.repeat(to - from);
    from = to;
  }
  return text;
}
