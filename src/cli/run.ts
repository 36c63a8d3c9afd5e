import { readFile } from "node:fs/promises";
import { addAbortSignal } from "node:stream";
import { buffer } from "node:stream/consumers";
import { Command, Option } from "commander";
import { ExecutionError, ExecutionTimeoutError, KernelDiedError } from "../errors.ts";
import type { Execution } from "../execution.ts";
import { CellPrinter } from "./cell-printer.ts";
import { addContainerFlags, type ContainerFlags, containerOptions } from "./container-flags.ts";
import { exitMessage, exitStatus } from "./exit-status.ts";
import { type Interrupts, interruptible } from "./interrupt.ts";
import { withKernel } from "./kernel-session.ts";
import { readTimeout } from "./numbers.ts";
import { PlotFiles } from "./plots/plot-files.ts";
import { terminalImages } from "./plots/terminal-images.ts";
import { log, printError, write } from "./print.ts";
import { RunInput } from "./run-input.ts";
import { outcomeOf, resultDocument } from "./result-document.ts";
import { signalStatus } from "./stopped.ts";
import { UsageError } from "./usage-error.ts";

interface RunFlags extends ContainerFlags {
  readonly timeout?: number | null;
  readonly output?: string;
  readonly json?: boolean;
}

const EXIT_CODES = `
Exit code: 0; 1 when the cell raised an exception; N after sys.exit(N); 124 on timeout;
130 on Ctrl-C; 2 when the command line is wrong.`;

/** `ipybox run` */
export function runCommand(): Command {
  const command = new Command("run")
    .description("Run a Python or IPython file as one cell, in a container of its own")
    .argument("<file>", "the file, or - for standard input")
    .argument("[args...]", "what sys.argv has behind the file")
    // What stands behind the file is the cell's, as with python.
    .passThroughOptions();
  return addContainerFlags(command)
    .addOption(new Option("--timeout <seconds>", "how long the cell may run, 0 for no limit (default: 0)").argParser(readTimeout))
    .option("--output <dir>", "save all plots there (default: here, and only those that the terminal can't show)")
    .option("--json", "print one JSON document at the end, and nothing else")
    .addHelpText("after", EXIT_CODES)
    .action((file: string, args: readonly string[], flags: RunFlags) =>
      interruptible((interrupts) => run([file, ...args], flags, interrupts)),
    );
}

async function run(argv: readonly [file: string, ...args: string[]], flags: RunFlags, interrupts: Interrupts): Promise<void> {
  const { signal } = interrupts;
  const { timeout = null, json = false, output } = flags;
  const options = await containerOptions(flags);
  const code = await readCode(argv[0], signal);
  process.exitCode = await withKernel(options, signal, async ({ client }) => {
    // In a script, sys.exit() is the usual end, of which IPython would warn.
    const quiet = `__import__("warnings").filterwarnings("ignore", "To exit: use", UserWarning)`;
    await client.execute(`__import__("sys").argv[:] = ${pythonList(argv)}; ${quiet}`, { storeHistory: false, signal });
    // Where standard input was the cell, nothing is left of it.
    const input = argv[0] === "-" ? undefined : new RunInput({ signal, isQuiet: json });
    try {
      // What is streamed is not kept besides.
      const cell = client.submit(code, {
        timeoutMs: timeout,
        signal,
        onInput: input?.ask,
        ...(json ? {} : { maxOutputBytes: 0 }),
      });
      const statusOf = interruptOnCtrlC(cell, interrupts);
      const plots = new PlotFiles(output ?? ".");
      if (json) return await printDocument(cell, plots, statusOf, signal);
      const printer = new CellPrinter({
        plots,
        encodeImage: process.stdout.isTTY ? await terminalImages(process.env) : undefined,
        alwaysSave: output !== undefined,
        signal,
      });
      const error = await printStream(cell, printer, signal, () => input?.reach());
      if (error !== undefined) await tell(error, timeout, printer);
      return statusOf(error) || (plots.failed ? 1 : 0);
    } finally {
      input?.close();
    }
  });
}

/** A literal of Python: JSON's escapes are Python's. */
function pythonList(texts: readonly string[]): string {
  return JSON.stringify(texts);
}

async function readCode(file: string, signal: AbortSignal): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = file === "-" ? await buffer(addAbortSignal(signal, process.stdin)) : await readFile(file, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new UsageError(`${JSON.stringify(file)} can't be read: ${(error as Error).message}.`, { cause: error });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UsageError(`${JSON.stringify(file)} is no Python in UTF-8.`, { cause });
  }
}

/** The first Ctrl-C interrupts the cell, the next one gives up. What is given tells the exit status. */
function interruptOnCtrlC(cell: Execution, interrupts: Interrupts): (error: unknown) => number {
  let interrupted = false;
  interrupts.onCtrlC = () => {
    if (interrupted) return false;
    interrupted = true;
    void cell.interrupt();
    return true;
  };
  return (error) => {
    if (interrupted) return signalStatus("SIGINT");
    return error === undefined ? 0 : exitStatus(error);
  };
}

/** Prints what the cell gives as it comes. Gives the error that has ended it. */
async function printStream(cell: Execution, printer: CellPrinter, signal: AbortSignal, onQuestion: () => void): Promise<unknown> {
  try {
    for await (const event of cell.events()) {
      if (event.type === "input_request") onQuestion();
      // What `sys.exit` was given matters, not where it was called.
      if (event.type !== "error" || event.ename !== "SystemExit") await printer.show(event);
    }
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return error;
  }
}

async function printDocument(
  cell: Execution,
  plots: PlotFiles,
  statusOf: (error: unknown) => number,
  signal: AbortSignal,
): Promise<number> {
  const startedAt = performance.now();
  const { result, error } = await outcomeOf(cell);
  const durationMs = Math.round(performance.now() - startedAt);
  const content = await resultDocument(result, error, plots);
  const exitCode = statusOf(error) || (plots.failed ? 1 : 0);
  const document = { ...content, exitCode, durationMs };
  await write(process.stdout, `${JSON.stringify(document, undefined, 2)}\n`, signal);
  return exitCode;
}

/** Says why the cell has ended. The traceback of an exception has been printed with its output. */
async function tell(error: unknown, timeoutMs: number | null, printer: CellPrinter): Promise<void> {
  await printer.endLine("stderr");
  if (error instanceof ExecutionTimeoutError) {
    log(`error: The cell ran longer than --timeout ${(timeoutMs ?? 0) / 1000} and was ended.`);
  } else if (error instanceof ExecutionError) {
    const message = exitMessage(error);
    if (message !== undefined) log(message);
  } else if (error instanceof KernelDiedError) {
    log(`error: ${describeDeath(error)}`);
  } else {
    printError(error);
  }
}

/** There is no next cell, about which the error's own message tells. */
function describeDeath({ reason, exitCode, signal }: KernelDiedError): string {
  if (reason === "oom") return "The cell was ended because the container ran out of memory. Raise --memory.";
  return signal === null ? `The cell's process exited with status ${exitCode ?? "unknown"}.` : `The cell was ended by ${signal}.`;
}
