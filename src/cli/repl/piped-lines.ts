import { createInterface, type Interface } from "node:readline";
import type { Line, LineSource } from "./lines.ts";

/** Lines of a pipe or a file, without prompts. */
export class PipedLines implements LineSource {
  readonly atPrompt = false;
  readonly #readline: Interface;
  readonly #lines: AsyncIterator<string>;

  constructor(signal: AbortSignal) {
    this.#readline = createInterface({ input: process.stdin, terminal: false, crlfDelay: Number.POSITIVE_INFINITY, signal });
    this.#lines = this.#readline[Symbol.asyncIterator]();
  }

  async read(): Promise<Line> {
    const { value, done } = await this.#lines.next();
    return done === true ? { kind: "end" } : { kind: "line", text: value, pasted: false };
  }

  ask(): Promise<Line> {
    return this.read();
  }

  aside(show: () => Promise<void>): Promise<void> {
    return show();
  }

  close(): void {
    this.#readline.close();
  }
}
