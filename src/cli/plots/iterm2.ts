import type { Picture } from "./picture.ts";

const TYPES: ReadonlySet<string> = new Set(["image/png", "image/jpeg", "image/gif"]);

/** A picture in iTerm2's protocol; undefined when that does not take its format. */
export function iterm2Image({ mimeType, data }: Picture): string | undefined {
  if (!TYPES.has(mimeType)) return undefined;
  return `\u001b]1337;File=inline=1;size=${data.length};preserveAspectRatio=1:${Buffer.from(data).toString("base64")}\u0007`;
}
