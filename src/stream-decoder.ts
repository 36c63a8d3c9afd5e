import { StringDecoder } from "node:string_decoder";
import { FrameFlag, type Frame } from "./protocol/frame.ts";

/**
 * The bytes of one stream as text. What Python has written as text comes in whole characters, and
 * may hold lone surrogates; what came by the file descriptor may be anything.
 */
export class StreamDecoder {
  readonly #raw = new StringDecoder("utf8");

  decode({ flags, payload }: Pick<Frame, "flags" | "payload">): string {
    return (flags & FrameFlag.raw) === 0 ? decodeText(payload) : this.#raw.write(payload);
  }

  /** What is left of a character that was never completed. */
  end(): string {
    return this.#raw.end();
  }
}

/** UTF-8 in which surrogates are encoded like other characters (Python's `surrogatepass`). */
function decodeText(bytes: Buffer): string {
  const parts: string[] = [];
  let start = 0;
  // A surrogate is 0xED and then 0xA0 or more.
  for (let at = bytes.indexOf(0xed); at >= 0; at = bytes.indexOf(0xed, at + 1)) {
    const [second, third] = [bytes[at + 1] ?? 0, bytes[at + 2] ?? 0];
    if (second < 0xa0 || second > 0xbf || (third & 0xc0) !== 0x80) continue;
    parts.push(bytes.toString("utf8", start, at), String.fromCharCode(0xd000 | ((second & 0x3f) << 6) | (third & 0x3f)));
    start = at + 3;
  }
  parts.push(bytes.toString("utf8", start));
  return parts.join("");
}
