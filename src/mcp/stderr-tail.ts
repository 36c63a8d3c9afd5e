import { StringDecoder } from "node:string_decoder";
import type { Stream } from "node:stream";

const KEPT = 2_000;

/** The end of what a process writes to its standard error, to be shown when it fails. */
export class StderrTail {
  #text = "";

  add(text: string): void {
    this.#text = (this.#text + text).slice(-KEPT);
  }

  follow(stream: Stream): void {
    const decoder = new StringDecoder("utf8");
    stream.on("data", (chunk: Buffer) => this.add(decoder.write(chunk)));
    stream.on("error", () => undefined);
  }

  toString(): string {
    return this.#text.trim();
  }
}
