import type { Picture } from "./picture.ts";

/** The protocol takes no longer pieces. */
const CHUNK = 4096;

/** Columns of common fonts are about so wide. */
const COLUMN_PIXELS = 10;

/** A picture in kitty's graphics protocol; undefined when that does not take its format. */
export function kittyImage({ mimeType, data, width }: Picture, columns: number): string | undefined {
  if (mimeType !== "image/png") return undefined;
  const text = Buffer.from(data).toString("base64");
  // Shown at once, without an answer on stdin; what would be cut off at the right is made as wide as the window.
  const keys = `a=T,f=100,q=2${width > columns * COLUMN_PIXELS ? `,c=${columns}` : ""}`;
  const pieces: string[] = [];
  for (let start = 0; start < text.length; start += CHUNK) {
    const more = start + CHUNK < text.length ? 1 : 0;
    pieces.push(`\u001b_G${start === 0 ? `${keys},` : ""}m=${more};${text.slice(start, start + CHUNK)}\u001b\\`);
  }
  return pieces.join("");
}
