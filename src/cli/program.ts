import { readFileSync } from "node:fs";
import { Command } from "commander";
import { benchCommand } from "./bench.ts";
import { buildCommand } from "./build.ts";
import { cleanupCommand } from "./cleanup.ts";
import { doctorCommand } from "./doctor.ts";
import { lsCommand } from "./ls.ts";
import { mcpCommand } from "./mcp.ts";
import { USAGE_HINT } from "./print.ts";
import { replCommand } from "./repl.ts";
import { runCommand } from "./run.ts";

/** The table of verbs, in the order of the help text. */
const COMMANDS: readonly (() => Command)[] = [
  runCommand,
  replCommand,
  mcpCommand,
  buildCommand,
  lsCommand,
  cleanupCommand,
  doctorCommand,
  benchCommand,
];

/** The command line of `ipybox`. */
export function program(): Command {
  const { version, description } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
    description: string;
  };
  const main = new Command("ipybox")
    .description(description)
    .version(version)
    .showHelpAfterError(USAGE_HINT)
    .exitOverride()
    .enablePositionalOptions();
  for (const command of COMMANDS) main.addCommand(command().copyInheritedSettings(main));
  return main;
}
