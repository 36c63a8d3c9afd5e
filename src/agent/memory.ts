import { readFile } from "node:fs/promises";

/** What the sandbox's cgroup counts of its memory, in bytes. */
export interface MemoryState {
  /** How many processes were ended because memory ran out. */
  readonly oomKills: number;
  readonly limitBytes: number | undefined;
  readonly peakBytes: number | undefined;
}

/** Reads the sandbox's own cgroup, version 2 or 1; both show it at this place from inside. */
export async function readMemoryState(root = "/sys/fs/cgroup"): Promise<MemoryState> {
  const v2 = await read(`${root}/memory.events`);
  if (v2 !== undefined) {
    return {
      oomKills: counter(v2, "oom_kill"),
      limitBytes: number(await read(`${root}/memory.max`)),
      peakBytes: number(await read(`${root}/memory.peak`)),
    };
  }
  const v1 = await read(`${root}/memory/memory.oom_control`);
  return {
    oomKills: v1 === undefined ? 0 : counter(v1, "oom_kill"),
    limitBytes: number(await read(`${root}/memory/memory.limit_in_bytes`)),
    peakBytes: number(await read(`${root}/memory/memory.max_usage_in_bytes`)),
  };
}

async function read(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}

function counter(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
}

function number(text: string | undefined): number | undefined {
  const value = Number(text);
  return text === undefined || !Number.isFinite(value) ? undefined : value;
}
