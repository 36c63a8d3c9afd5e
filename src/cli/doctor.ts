import { Command, Option } from "commander";
import { examine } from "../doctor.ts";
import type { Finding } from "../engine/doctor.ts";
import { DEFAULTS } from "../options.ts";
import { readTag } from "./container-flags.ts";
import { interruptible } from "./interrupt.ts";
import { write } from "./print.ts";

const EXIT_CODES = `
Exit code: 1 when something is broken, 0 when there is advice at most.`;

/** `ipybox doctor` */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description("Examine the Docker daemon: what confines containers, what is missing, and how to mend it")
    .addOption(new Option("-t, --tag <image>", "image to try a container of").default(DEFAULTS.tag).argParser(readTag))
    .option("--json", "print the findings as JSON")
    .addHelpText("after", EXIT_CODES)
    .action(({ tag, json = false }: { readonly tag: string; readonly json?: boolean }) =>
      interruptible(async ({ signal }) => {
        const findings = await examine({ tag, signal });
        const text = json ? JSON.stringify(findings, undefined, 2) : findings.map(describe).join("\n");
        await write(process.stdout, `${text}\n`, signal);
        if (findings.some(({ status }) => status === "broken")) process.exitCode = 1;
      }),
    );
}

function describe({ check, status, found, remedy }: Finding): string {
  const line = `${status.padEnd(8)}${check.padEnd(17)}${found}`;
  return remedy === undefined ? line : `${line}\n${" ".repeat(25)}${remedy}`;
}
