import { readFileSync } from "node:fs";
import { Command } from "commander";
import { buildCommand } from "./build.ts";
import { cleanupCommand } from "./cleanup.ts";
import { doctorCommand } from "./doctor.ts";
import { lsCommand } from "./ls.ts";
import { USAGE_HINT } from "./print.ts";
import { replCommand } from "./repl.ts";
import { runCommand } from "./run.ts";

/** The table of verbs, in the order of the help text. */
const COMMANDS: readonly (() => Command)[] = [runCommand, replCommand, buildCommand, lsCommand, cleanupCommand, doctorCommand];

/** The command line of `ipybox`. */
export function program(): Command {
  const { version, description } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
    description: string;
  };
  const main = new Command("ipybox").description(description).version(version).showHelpAfterError(USAGE_HINT).exitOverride();
  for (const command of COMMANDS) main.addCommand(command().copyInheritedSettings(main));
  return main;
}
