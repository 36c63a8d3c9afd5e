import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";

/** What the sandbox's cgroup counts of its memory, in bytes. */
export interface MemoryState {
  /** How many processes were ended because memory ran out. */
  readonly oomKills: number;
  readonly limitBytes: number | undefined;
  readonly peakBytes: number | undefined;
}

const ROOT = "/sys/fs/cgroup";
const EVENTS_V2 = "memory.events";
const EVENTS_V1 = "memory/memory.oom_control";

/** How many processes were ended because memory ran out, up to now. */
export function readOomKills(root: string = ROOT): number {
  for (const name of [EVENTS_V2, EVENTS_V1]) {
    try {
      return counter(readFileSync(`${root}/${name}`, "utf8"), "oom_kill");
    } catch {
      continue;
    }
  }
  return 0;
}

/** Reads the sandbox's own cgroup, version 2 or 1; both show it at this place from inside. */
export async function readMemoryState(root: string = ROOT): Promise<MemoryState> {
  const v2 = await read(`${root}/${EVENTS_V2}`);
  if (v2 !== undefined) {
    return {
      oomKills: counter(v2, "oom_kill"),
      limitBytes: number(await read(`${root}/memory.max`)),
      peakBytes: number(await read(`${root}/memory.peak`)),
    };
  }
  const v1 = await read(`${root}/${EVENTS_V1}`);
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
