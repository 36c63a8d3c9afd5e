#!/usr/bin/env node
import { exitStatus } from "./exit-status.ts";
import { printError } from "./print.ts";
import { program } from "./program.ts";
import { Stopped, writeFailure } from "./stopped.ts";

// Without a listener, writing to what nobody reads any more would end the process on the spot.
process.stderr.on("error", () => undefined);
process.stdout.on("error", (error) => {
  // A command that tidies up listens, too, and tells by itself.
  if (process.stdout.listenerCount("error") === 1) fail(writeFailure(error));
});

try {
  await program().parseAsync();
} catch (error) {
  fail(error);
}

function fail(error: unknown): void {
  printError(error);
  process.exitCode = exitStatus(error);
  if (!(error instanceof Stopped)) return;
  // Node aborts where it can't reset its terminal: a signal ends it without that.
  if (error.signal === "SIGHUP") process.kill(process.pid, error.signal);
  // Does not wait for a reader of stdout that may never come.
  process.exit();
}
