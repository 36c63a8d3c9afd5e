import { IpyboxError } from "../errors.ts";

/** Tells on stderr what happens: stdout is for results. */
export function log(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Prints an error as message and facts. Its stack is for bugs only. */
export function printError(error: unknown): void {
  if (!(error instanceof IpyboxError)) {
    log(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return;
  }
  log(`error: ${error.message}`);
  log(`  code: ${error.code}`);
  for (const [name, value] of Object.entries(error.details)) {
    const isFact = ["string", "number", "boolean"].includes(typeof value) && !String(value).includes("\n");
    if (isFact && !error.message.includes(String(value))) log(`  ${name}: ${String(value)}`);
  }
}

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
