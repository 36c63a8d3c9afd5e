import { type Command, Option } from "commander";
import { IpyboxError } from "../errors.ts";
import { fullImageName } from "../image-reference.ts";
import type { NetworkPolicy } from "../network/policy.ts";
import { DEFAULTS, type ExecutionContainerOptions } from "../options.ts";
import { addBind, type Binds } from "./binds.ts";
import { readEnvironment } from "./environment.ts";
import { readNetwork } from "./network-flag.ts";
import { readCpus, readMemory, readPort } from "./numbers.ts";
import { UsageError } from "./usage-error.ts";

/** The flags of `addSandboxFlags`, as commander gives them. */
export interface SandboxFlags {
  readonly tag: string;
  readonly bind?: Binds;
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly memory?: number;
  readonly cpus?: number;
  readonly network?: NetworkPolicy;
}

/** The flags of `addContainerFlags`. */
export interface ContainerFlags extends SandboxFlags {
  readonly port?: number;
}

/** Adds the flags that say in what sort of container a command runs its cells; `network` is the policy without the flag. */
export function addSandboxFlags(command: Command, network = "internet"): Command {
  return command
    .addOption(new Option("-t, --tag <image>", "image to run").default(DEFAULTS.tag).argParser(readTag))
    .option("-b, --bind <host:path>", "show a host path below /app; :ro at its end makes it read-only (repeatable)", addBind)
    .option("-e, --env <name=value>", "set a variable; without a value it is taken from here (repeatable)", append)
    .option("--env-file <file>", "set the variables of a file with a NAME=VALUE a line (repeatable)", append)
    .addOption(new Option("--memory <size>", "limit of memory, for example 512m (default: 2g)").argParser(readMemory))
    .addOption(new Option("--cpus <number>", "limit of CPUs, fractions allowed (default: 2)").argParser(readCpus))
    .addOption(
      new Option(
        "--network <policy>",
        `what cells may reach: internet, public, none, or allow:ENTRY,ENTRY… (default: ${network})`,
      ).argParser(readNetwork),
    );
}

/** Adds the flags of the one container in which a command runs its cells. */
export function addContainerFlags(command: Command): Command {
  return addSandboxFlags(command).addOption(
    new Option("--port <port>", "host port of the container (default: a free one)").argParser(readPort),
  );
}

/** The options of the container that the flags ask for. */
export async function containerOptions(
  flags: SandboxFlags & { readonly port?: number | undefined },
): Promise<ExecutionContainerOptions> {
  return {
    tag: flags.tag,
    binds: flags.bind,
    env: await readEnvironment(flags.env ?? [], flags.envFile ?? []),
    memoryBytes: flags.memory,
    cpus: flags.cpus,
    port: flags.port,
    network: flags.network,
  };
}

/** `--tag` */
export function readTag(text: string): string {
  try {
    fullImageName(text, "--tag");
    return text;
  } catch (error) {
    throw error instanceof IpyboxError ? new UsageError(error.message, { cause: error }) : error;
  }
}

function append(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}
