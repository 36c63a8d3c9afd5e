import { readFileSync } from "node:fs";
import { Command } from "commander";
import { buildCommand } from "./build.ts";
import { cleanupCommand } from "./cleanup.ts";
import { lsCommand } from "./ls.ts";

/** The table of verbs, in the order of the help text. */
const COMMANDS: readonly (() => Command)[] = [buildCommand, lsCommand, cleanupCommand];

/** The command line of `ipybox`. */
export function program(): Command {
  const { version, description } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
    description: string;
  };
  const main = new Command("ipybox").description(description).version(version).showHelpAfterError("(ipybox --help tells more)");
  for (const command of COMMANDS) main.addCommand(command());
  return main;
}
