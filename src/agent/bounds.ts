import { readFile } from "node:fs/promises";
import type { Bound } from "../protocol/lifecycle.ts";
import { describeExit } from "./exit.ts";
import { NoProcessError } from "./kernel-process.ts";
import { readMemoryState } from "./memory.ts";

/** A kernel could not be started, and the sandbox's bound that was in the way, if it is known. */
export class KernelStartError extends Error {
  readonly bound: Bound | undefined;

  constructor(message: string, bound: Bound | undefined, cause: unknown) {
    super(message, { cause });
    this.bound = bound;
  }
}

/** Says why a kernel could not be started: most often a bound of the sandbox has been reached. */
export async function explainStart(error: unknown): Promise<KernelStartError> {
  const message = error instanceof Error ? error.message : String(error);
  const errno = error instanceof NoProcessError ? error.errno : (error as NodeJS.ErrnoException).code;
  switch (errno) {
    case "EAGAIN":
      return new KernelStartError(`no process is left${await usage()}: raise pidsLimit, or end what uses them up`, "pids", error);
    case "ENOMEM":
      return new KernelStartError("the container is out of memory: raise memoryBytes", "memory", error);
    case "ENOSPC":
    case "EDQUOT":
      return new KernelStartError("the container's disk is full", "disk", error);
  }
  const status = error instanceof NoProcessError ? error.status : undefined;
  if (status === undefined) return new KernelStartError(message, undefined, error);
  const death = describeExit(status, await readMemoryState(), { killed: false, oomKills: 0 });
  if (death.reason === "oom") {
    return new KernelStartError(
      "its process was ended because the container ran out of memory: raise memoryBytes",
      "memory",
      error,
    );
  }
  const how = death.signal === null ? `status ${death.exitCode}` : death.signal;
  return new KernelStartError(`its process ended with ${how} while it started`, undefined, error);
}

/** How many processes and threads there are, and may be; both versions of cgroups show it from inside. */
async function usage(): Promise<string> {
  for (const directory of ["/sys/fs/cgroup", "/sys/fs/cgroup/pids"]) {
    const read = (name: string): Promise<string> => readFile(`${directory}/${name}`, "utf8");
    try {
      const [current, max] = await Promise.all([read("pids.current"), read("pids.max")]);
      return ` (${current.trim()} of ${max.trim()} processes and threads are in use)`;
    } catch {
      continue;
    }
  }
  return "";
}
