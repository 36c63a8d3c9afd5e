import type { InputDetails } from "../client-options.ts";
import { QuestionGate } from "./question-gate.ts";
import { write } from "./print.ts";
import type { LineSource } from "./repl/lines.ts";
import { PipedLines } from "./repl/piped-lines.ts";
import { TerminalLines } from "./repl/terminal-lines.ts";

export interface RunInputOptions {
  /** Ends waiting. */
  readonly signal: AbortSignal;
  /** Standard output is for a document alone: questions are asked on standard error, and nothing else is shown. */
  readonly isQuiet: boolean;
}

/** Answers `input()` and `getpass()` with lines of standard input, which is not read before. */
export class RunInput {
  readonly #options: RunInputOptions;
  readonly #gate = new QuestionGate();
  #lines: LineSource | undefined;

  constructor(options: RunInputOptions) {
    this.#options = options;
  }

  /** All that stands before the next question has been shown. */
  reach(): void {
    this.#gate.reach();
  }

  readonly ask = async (prompt: string, { password }: InputDetails): Promise<string> => {
    const { signal, isQuiet } = this.#options;
    if (!isQuiet) await this.#gate.wait();
    this.#lines ??= process.stdin.isTTY && !isQuiet ? terminalLines(signal) : new PipedLines(signal);
    if (this.#lines instanceof PipedLines) await write(isQuiet ? process.stderr : process.stdout, prompt, signal);
    const line = await this.#lines.ask(prompt, password);
    if (line.kind === "line") return line.text;
    if (line.kind === "end") throw new Error("end of input");
    // Ctrl-C, which the terminal has given as a key.
    process.kill(process.pid, "SIGINT");
    return new Promise(() => undefined);
  };

  close(): void {
    this.#lines?.close();
  }
}

function terminalLines(signal: AbortSignal): TerminalLines {
  return new TerminalLines({ history: [], signal, onLine: () => undefined, complete: (line) => Promise.resolve([[], line]) });
}
