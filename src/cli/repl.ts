import { Command, Option } from "commander";
import { CellPrinter } from "./cell-printer.ts";
import { addContainerFlags, type ContainerFlags, containerOptions } from "./container-flags.ts";
import { type Interrupts, interruptible } from "./interrupt.ts";
import { withKernel } from "./kernel-session.ts";
import { readTimeout } from "./numbers.ts";
import { PlotFiles } from "./plots/plot-files.ts";
import { terminalImages } from "./plots/terminal-images.ts";
import { log } from "./print.ts";
import { CellReader } from "./repl/cell-reader.ts";
import { completer } from "./repl/completion.ts";
import { History } from "./repl/history.ts";
import type { LineSource } from "./repl/lines.ts";
import { PipedLines } from "./repl/piped-lines.ts";
import { ReplSession } from "./repl/session.ts";
import { TerminalLines } from "./repl/terminal-lines.ts";

interface ReplFlags extends ContainerFlags {
  readonly timeout?: number | null;
  readonly output?: string;
}

const AFTER_HELP = `
Ctrl-C interrupts the running cell; Ctrl-D, exit or quit ends the session, and all variables with it.
Without a terminal each block of standard input is run; the exit code is that of the last error.`;

/** `ipybox repl` */
export function replCommand(): Command {
  const command = new Command("repl").description("Run cells one after the other, in a container and a kernel of their own");
  return addContainerFlags(command)
    .addOption(new Option("--timeout <seconds>", "how long a cell may run, 0 for no limit (default: 0)").argParser(readTimeout))
    .option("--output <dir>", "save all plots there (default: here, and only those that the terminal can't show)")
    .addHelpText("after", AFTER_HELP)
    .action((flags: ReplFlags) => interruptible((interrupts) => repl(flags, interrupts)));
}

async function repl(flags: ReplFlags, interrupts: Interrupts): Promise<void> {
  const { signal } = interrupts;
  const isInteractive = process.stdin.isTTY && process.stdout.isTTY;
  const options = await containerOptions(flags);
  const plots = new PlotFiles(flags.output ?? ".");
  const history = isInteractive ? await History.open() : undefined;
  process.exitCode = await withKernel(options, signal, async ({ client, container }) => {
    const lines: LineSource = isInteractive
      ? new TerminalLines({
          history: history?.newestFirst ?? [],
          signal,
          onLine: (text) => history?.add(text),
          complete: completer(client, () => reader.begun),
        })
      : new PipedLines(signal);
    const reader = new CellReader(lines, async (code, signal) => {
      return (await client.isComplete(code, { signal })).status !== "incomplete";
    });
    const printer = new CellPrinter({
      plots,
      encodeImage: isInteractive ? await terminalImages(process.env) : undefined,
      alwaysSave: flags.output !== undefined,
      signal,
      label: isInteractive ? (executionCount) => `Out[${executionCount}]: ` : undefined,
    });
    if (isInteractive) log(`Python in container ${container.id.slice(0, 12)} of ${container.tag}. Ctrl-D ends it.\n`);
    const timeoutMs = flags.timeout ?? null;
    try {
      return await new ReplSession({ client, lines, reader, printer, interrupts, timeoutMs, isInteractive }).run();
    } finally {
      lines.close();
    }
  });
  await history?.saved;
}
