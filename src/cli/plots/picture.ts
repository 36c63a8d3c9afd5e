import type { MimeBundle } from "../../protocol/events.ts";
import { imageOf } from "../../result-image.ts";

/** Something to look at that a cell has shown. */
export interface Picture {
  readonly mimeType: string;
  /** The file's bytes. */
  readonly data: Uint8Array;
  /** In pixels; 0 when that is not known. */
  readonly width: number;
  readonly height: number;
}

const SVG = "image/svg+xml";

/** The picture in a MIME bundle, if there is one. */
export function pictureOf(data: MimeBundle): Picture | undefined {
  const image = imageOf(data);
  if (image !== undefined) return image;
  const svg = data[SVG];
  return typeof svg === "string" ? { mimeType: SVG, data: Buffer.from(svg), width: 0, height: 0 } : undefined;
}
