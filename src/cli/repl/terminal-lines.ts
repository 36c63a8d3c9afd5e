import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";
import { callbackify } from "node:util";
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
  /** What Tab could put in place of the end of a line: whole texts, and that end. */
  readonly complete: (line: string) => Promise<[string[], string]>;
}

/** Lines typed at a terminal. Between two reads the terminal is as it was: Ctrl-C is a signal, what is typed waits. */
export class TerminalLines implements LineSource {
  readonly #readline: Interface;
  /** A paste brings several lines at once. */
  readonly #waiting: Line[] = [];
  #reader: Deferred<Line> | undefined;
  /** The prompt of `#reader` is on the screen. */
  #prompted: Deferred<Line> | undefined;
  #isAside = false;
  /** Shows the prompt that was due while something else was shown. */
  #due: (() => void) | undefined;
  readonly #screen = new Screen();
  #pasting = false;
  /** What comes now was typed before there was a prompt. */
  #typedAhead = false;
  #asking = false;
  #asked: Promise<Line> | undefined;
  #closed = false;

  constructor({ history, signal, onLine, complete }: TerminalLinesOptions) {
    this.#readline = createInterface({
      input: process.stdin,
      output: this.#screen,
      terminal: true,
      completer: callbackify((line: string) => complete(line).catch((): [string[], string] => [[], line])),
      history: [...history],
      historySize: HISTORY_LINES,
      removeHistoryDuplicates: true,
      signal,
    });
    this.#rest();
    this.#readline.on("history", (lines) => {
      if (this.#asking) lines.shift();
    });
    this.#readline.on("line", (text) => {
      if (!this.#asking) onLine(text);
      this.#give({ kind: "line", text, pasted: this.#pasting });
    });
    this.#readline.on("SIGINT", () => this.#abandon());
    this.#readline.on("close", () => this.#end());
    // The terminal is gone. What follows from that comes as a signal, or as the end.
    this.#readline.on("error", () => this.#end());
    process.stdin.on("error", () => undefined);
    process.stdin.on("keypress", this.#onKey);
  }

  async read(prompt: string, place: "first" | "further"): Promise<Line> {
    await this.#dropQuestion();
    const next = this.#waiting.shift();
    // A further line still stands below the one before it; between cells there was output.
    if (next?.kind === "line" && place === "first") process.stdout.write(`${prompt}${next.text}\n`);
    if (next !== undefined) return next;
    return this.#prompt(prompt);
  }

  ask(prompt: string, hidden: boolean): Promise<Line> {
    const asked = this.#ask(prompt, hidden);
    this.#asked = asked;
    return asked;
  }

  /** The kernel may have died while it asked: nobody waits for that answer any more. */
  async #dropQuestion(): Promise<void> {
    if (!this.#asking) return;
    this.#reader?.resolve({ kind: "end" });
    this.#reader = undefined;
    await this.#asked;
  }

  async #ask(prompt: string, hidden: boolean): Promise<Line> {
    this.#asking = true;
    if (hidden) process.stdout.write(prompt);
    this.#screen.dark = hidden;
    try {
      // What was pasted behind the cell is its input.
      return this.#waiting.shift() ?? (await this.#prompt(hidden ? "" : prompt));
    } finally {
      this.#asking = false;
      this.#screen.dark = false;
      if (hidden) process.stdout.write("\n");
    }
  }

  get atPrompt(): boolean {
    return this.#reader !== undefined && this.#reader === this.#prompted;
  }

  #prompt(prompt: string): Promise<Line> {
    if (this.#closed) return Promise.resolve({ kind: "end" });
    const reader = deferred<Line>();
    this.#reader = reader;
    process.stdin.setRawMode(true);
    // A Ctrl-C from before it was a key is told in the next turn of the event loop. What comes once the prompt is seen is none.
    setImmediate(() => setImmediate(() => this.#showPrompt(prompt, reader)));
    return reader.promise;
  }

  #showPrompt(prompt: string, reader: Deferred<Line>): void {
    if (this.#reader !== reader) return;
    if (this.#isAside) {
      this.#due = () => this.#showPrompt(prompt, reader);
      return;
    }
    this.#prompted = reader;
    process.stdout.write(PASTE_MARKS_ON);
    this.#readline.setPrompt(prompt);
    this.#typedAhead = true;
    this.#readline.prompt(true);
    // Between two turns the event loop has read what was there.
    setImmediate(() => setImmediate(() => (this.#typedAhead = false)));
  }

  async aside(show: () => Promise<void>): Promise<void> {
    if (this.atPrompt) process.stdout.write("\r\u001b[J");
    this.#isAside = true;
    try {
      await show();
    } finally {
      this.#isAside = false;
      if (this.atPrompt) this.#readline.prompt(true);
      this.#due?.();
      this.#due = undefined;
    }
  }

  close(): void {
    process.stdin.off("keypress", this.#onKey);
    this.#readline.close();
  }

  readonly #onKey = (text: string | undefined, { name }: { readonly name?: string | undefined }): void => {
    if (name === "paste-start") this.#pasting = true;
    if (name === "paste-end") this.#pasting = false;
    // Linux keeps a Ctrl-D as this character when it comes before Ctrl-D is a key (`__DISABLED_CHAR` in drivers/tty/n_tty.c).
    if (text === "\0" && this.#typedAhead && this.#readline.line === "") this.#readline.close();
  };

  /** Leaves the line as it is on the screen, and forgets it. */
  #abandon(): void {
    if (this.#reader === undefined) {
      // Typed ahead: it means what runs, as it would have without a line to edit.
      this.#waiting.length = 0;
      process.kill(process.pid, "SIGINT");
      return;
    }
    this.#readline.write(null, { ctrl: true, name: "e" });
    this.#screen.write("^C\n");
    this.#readline.write(null, { ctrl: true, name: "u" });
    this.#screen.write("\r\u001b[K");
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

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#rest();
    this.#give({ kind: "end" });
  }

  #rest(): void {
    if (!this.#closed) this.#readline.pause();
    process.stdin.setRawMode(false);
    process.stdout.write(PASTE_MARKS_OFF);
  }
}

/** Standard output, unless it is dark. */
class Screen extends Writable {
  dark = false;

  get columns(): number {
    return process.stdout.columns;
  }

  get rows(): number {
    return process.stdout.rows;
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    if (this.dark) done();
    else process.stdout.write(chunk, () => done());
  }
}
