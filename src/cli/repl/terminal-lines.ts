import { createInterface, type Interface } from "node:readline";
import { deferred, type Deferred } from "../../internal/deferred.ts";
import { HISTORY_LINES } from "./history.ts";
import type { Line, LineSource } from "./lines.ts";

const PASTE_MARKS_ON = "\u001b[?2004h";
const PASTE_MARKS_OFF = "\u001b[?2004l";

/** What `TerminalLines` needs of its surroundings. */
export interface TerminalLinesOptions {
  /** Newest first. */
  readonly history: readonly string[];
  /** Closes it. */
  readonly signal: AbortSignal;
  /** Gets each line that was typed. */
  readonly onLine: (text: string) => void;
}

/** Lines typed at a terminal. Between two reads the terminal is as it was: Ctrl-C is a signal, what is typed waits. */
export class TerminalLines implements LineSource {
  readonly #readline: Interface;
  /** A paste brings several lines at once. */
  readonly #waiting: Line[] = [];
  #reader: Deferred<Line> | undefined;
  #pasting = false;
  #closed = false;

  constructor({ history, signal, onLine }: TerminalLinesOptions) {
    this.#readline = createInterface({
      input: process.stdin,
      output: process.stdout,
      terminal: true,
      history: [...history],
      historySize: HISTORY_LINES,
      removeHistoryDuplicates: true,
      signal,
    });
    this.#rest();
    this.#readline.on("line", (text) => {
      onLine(text);
      this.#give({ kind: "line", text, pasted: this.#pasting });
    });
    this.#readline.on("SIGINT", () => this.#abandon());
    this.#readline.on("close", () => {
      this.#closed = true;
      this.#rest();
      this.#give({ kind: "end" });
    });
    process.stdin.on("keypress", this.#onKey);
  }

  async read(prompt: string, place: "first" | "further"): Promise<Line> {
    const next = this.#waiting.shift();
    // A further line still stands below the one before it; between cells there was output.
    if (next?.kind === "line" && place === "first") process.stdout.write(`${prompt}${next.text}\n`);
    if (next !== undefined) return next;
    if (this.#closed) return { kind: "end" };
    this.#reader = deferred();
    process.stdin.setRawMode(true);
    process.stdout.write(PASTE_MARKS_ON);
    this.#readline.setPrompt(prompt);
    this.#readline.prompt(true);
    return this.#reader.promise;
  }

  async aside(show: () => Promise<void>): Promise<void> {
    const isTyping = this.#reader !== undefined;
    if (isTyping) process.stdout.write("\r\u001b[J");
    await show();
    if (isTyping && this.#reader !== undefined) this.#readline.prompt(true);
  }

  close(): void {
    process.stdin.off("keypress", this.#onKey);
    this.#readline.close();
  }

  readonly #onKey = (_: string | undefined, { name }: { readonly name?: string | undefined }): void => {
    if (name === "paste-start") this.#pasting = true;
    if (name === "paste-end") this.#pasting = false;
  };

  /** Leaves the line as it is on the screen, and forgets it. */
  #abandon(): void {
    this.#readline.write(null, { ctrl: true, name: "e" });
    process.stdout.write("^C\n");
    this.#readline.write(null, { ctrl: true, name: "u" });
    process.stdout.write("\r\u001b[K");
    this.#give({ kind: "interrupted" });
  }

  #give(line: Line): void {
    const reader = this.#reader;
    if (reader === undefined) {
      this.#waiting.push(line);
      return;
    }
    this.#reader = undefined;
    this.#rest();
    reader.resolve(line);
  }

  #rest(): void {
    if (!this.#closed) this.#readline.pause();
    process.stdin.setRawMode(false);
    process.stdout.write(PASTE_MARKS_OFF);
  }
}
