import { writeFile } from "node:fs/promises";
import { imageSize } from "image-size";

/** Raster images among the MIME types, best first. */
export const IMAGE_TYPES = ["image/png", "image/jpeg", "image/webp", "image/gif"] as const;

/** An image that a cell has shown: a plot, a PIL image, `display(Image(…))`. */
export class ResultImage {
  /** `image/png`, `image/jpeg`, `image/webp` or `image/gif`. */
  readonly mimeType: string;
  /** The image file's bytes. */
  readonly data: Uint8Array;
  /** Width in pixels; 0 when the bytes are no image that can be read. */
  readonly width: number;
  /** Height in pixels; 0 when the bytes are no image that can be read. */
  readonly height: number;

  constructor(mimeType: string, data: Uint8Array) {
    this.mimeType = mimeType;
    this.data = data;
    const { width, height } = sizeOf(data);
    this.width = width;
    this.height = height;
  }

  /** Writes the image file to `path` on the host. Throws what `fs.writeFile` throws. */
  async save(path: string): Promise<void> {
    await writeFile(path, this.data);
  }
}

/** The image in a MIME bundle, if there is one. */
export function imageOf(data: Readonly<Record<string, unknown>>): ResultImage | undefined {
  for (const type of IMAGE_TYPES) {
    const bytes = data[type];
    if (bytes instanceof Uint8Array) return new ResultImage(type, bytes);
  }
  return undefined;
}

function sizeOf(data: Uint8Array): { readonly width: number; readonly height: number } {
  try {
    return imageSize(data);
  } catch {
    return { width: 0, height: 0 };
  }
}
