import type { ExecutionClient } from "../../client.ts";
import { ExecutionError, ExecutionTimeoutError, IpyboxError } from "../../errors.ts";
import type { CellPrinter } from "../cell-printer.ts";
import { exitStatus } from "../exit-status.ts";
import type { Interrupts } from "../interrupt.ts";
import { log, write } from "../print.ts";
import { QuestionGate } from "../question-gate.ts";
import type { CellReader } from "./cell-reader.ts";
import type { LineSource } from "./lines.ts";

/** After these the kernel, or the one that takes its place, goes on. */
const SURVIVED: ReadonlySet<string> = new Set([
  ...["execution_failed", "execution_timeout", "execution_aborted", "kernel_died", "kernel_start_failed", "output_lost"],
]);

export interface ReplSessionParts {
  readonly client: ExecutionClient;
  readonly lines: LineSource;
  readonly reader: CellReader;
  readonly printer: CellPrinter;
  readonly interrupts: Interrupts;
  readonly timeoutMs: number | null;
  readonly isInteractive: boolean;
}

/** Reads cells and runs them one after the other. */
export class ReplSession {
  readonly #parts: ReplSessionParts;
  /** The number of the next cell. */
  #number = 1;
  #lastStatus = 0;
  /** Ends what Ctrl-C is meant for now. */
  #interrupt: (() => void) | undefined;
  /** What is shown comes one after the other, also what comes between the cells. */
  #shown: Promise<unknown> = Promise.resolve();

  constructor(parts: ReplSessionParts) {
    this.#parts = parts;
  }

  /** Goes on to the end of the cells, and gives the exit status. */
  async run(): Promise<number> {
    const { interrupts, isInteractive, lines, reader } = this.#parts;
    interrupts.onCtrlC = () => {
      this.#interrupt?.();
      if (reader.interrupt()) process.stdout.write("\n");
      // Who sits at a terminal means the cell, even when it has ended just now; a pipe is stopped.
      return this.#interrupt !== undefined || (isInteractive && !lines.atPrompt);
    };
    try {
      return await this.#runAll();
    } finally {
      interrupts.onCtrlC = undefined;
    }
  }

  async #runAll(): Promise<number> {
    const { client, reader, lines, printer, interrupts, isInteractive } = this.#parts;
    client.on("lateOutput", ({ event }) => void this.#show(() => lines.aside(() => printer.show(event))).catch(() => undefined));
    for (;;) {
      const cell = await reader.next(this.#number);
      interrupts.signal.throwIfAborted();
      if (cell.kind === "interrupted") continue;
      const ending = cell.kind === "end" ? "" : exitCommand(cell.code);
      // Ctrl-D leaves the prompt where it is.
      if (cell.kind === "end" && isInteractive) await write(process.stdout, "\n", interrupts.signal);
      if (ending !== undefined) return ending === "" ? (isInteractive ? 0 : this.#lastStatus) : Number(ending);
      if (cell.kind === "cell") await this.#execute(cell.code);
      await printer.endLine("stdout");
      if (isInteractive) await write(process.stdout, "\n", interrupts.signal);
    }
  }

  async #execute(code: string): Promise<void> {
    const { client, printer, interrupts, timeoutMs } = this.#parts;
    const gate = new QuestionGate();
    const cell = client.submit(code, {
      timeoutMs,
      maxOutputBytes: 0,
      signal: interrupts.signal,
      onInput: async (prompt, { password }) => {
        await gate.wait();
        return this.#ask(prompt, password);
      },
    });
    this.#interrupt = () => void cell.interrupt();
    try {
      for await (const event of cell.events()) {
        await this.#show(() => printer.show(event));
        if (event.type === "input_request") gate.reach();
        if (event.type === "execute_reply") this.#number = event.execution_count + 1;
      }
    } catch (error) {
      interrupts.signal.throwIfAborted();
      if (!(error instanceof IpyboxError) || !SURVIVED.has(error.code)) throw error;
      this.#lastStatus = exitStatus(error);
      await printer.endLine("stderr");
      this.#tell(error);
    } finally {
      this.#interrupt = undefined;
    }
  }

  /** Answers `input()`. */
  async #ask(prompt: string, hidden: boolean): Promise<string> {
    const { lines, printer } = this.#parts;
    const line = await this.#show(async () => {
      await printer.endLine("stdout");
      return lines.ask(prompt, hidden);
    });
    if (line.kind === "line") return line.text;
    if (line.kind === "end") throw new Error("end of input");
    // The interrupt is the answer.
    this.#interrupt?.();
    return new Promise(() => undefined);
  }

  /** Says why a cell has ended, where its traceback does not. */
  #tell(error: IpyboxError): void {
    if (error instanceof ExecutionError) return;
    if (error instanceof ExecutionTimeoutError) {
      log(`error: The cell ran longer than --timeout ${(this.#parts.timeoutMs ?? 0) / 1000} and was ended.`);
    } else {
      log(`error: ${error.message}`);
    }
    // The next cell is the first one of a fresh kernel.
    const isLost = "stateLost" in error && error.stateLost === true;
    if (isLost) this.#number = 1;
  }

  #show<T>(show: () => Promise<T>): Promise<T> {
    const shown = this.#shown.catch(() => undefined).then(show);
    this.#shown = shown;
    return shown;
  }
}

/** The status in `exit(3)`, `""` for `exit`; undefined when a cell is something else. */
function exitCommand(code: string): string | undefined {
  return /^\s*(?:exit|quit)(?:\(\s*(\d{0,3})\s*\))?\s*;?\s*$/
    .exec(code)
    ?.slice(1)
    .map((status) => status ?? "")[0];
}
