import { CommanderError } from "commander";
import { IpyboxError } from "../errors.ts";
import { Stopped } from "./stopped.ts";
import { UsageError } from "./usage-error.ts";

/** Tells on stderr what happens: stdout is for results. */
export function log(line: string): void {
  process.stderr.write(`${line}\n`);
}

/**
 * Writes, and resolves once the text is on its way, or can't be: then the stream tells. Rejects with the signal's reason,
 * also while the reader is behind.
 */
export function write(stream: NodeJS.WriteStream, text: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    stream.write(text, () => {
      signal.removeEventListener("abort", abort);
      resolve();
    });
  });
}

/** Prints an error as message and facts. Its stack is for bugs only. */
export function printError(error: unknown): void {
  // Who has stopped the command knows it; commander has printed its errors.
  if (error instanceof Stopped || error instanceof CommanderError) return;
  if (error instanceof UsageError) {
    log(`error: ${error.message}\n${USAGE_HINT}`);
    return;
  }
  if (!(error instanceof IpyboxError)) {
    log(
      `error: ${error instanceof Error ? (isSystemError(error) ? error.message : (error.stack ?? error.message)) : String(error)}`,
    );
    return;
  }
  log(`error: ${error.message}`);
  log(`  code: ${error.code}`);
  for (const [name, value] of Object.entries(error.details)) {
    const isFact = ["string", "number", "boolean"].includes(typeof value) && !String(value).includes("\n");
    if (isFact && !error.message.includes(String(value))) log(`  ${name}: ${String(value)}`);
  }
}

/** What follows on a wrong command line. */
export const USAGE_HINT = "(ipybox --help tells more)";

/** A table with aligned columns, or nothing when there are no rows. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** The operating system has refused something: that is no bug. */
function isSystemError(error: Error): boolean {
  return "syscall" in error;
}
