import { constants } from "node:os";
import type { KernelDiedMessage } from "../protocol/lifecycle.ts";
import type { ExitStatus } from "./kernel-socket.ts";
import { type MemoryState, readOomKills } from "./memory.ts";

/** A count that is this fresh is not read again: what runs out of memory has taken longer to fill it. */
const FRESH_MS = 100;

/** Why a kernel was ended that has filled the sandbox's disk. */
export interface FullDisk {
  readonly limitBytes: number;
  /** What cells had written by then. */
  readonly peakBytes: number;
}

/** How many ends of processes for want of memory have been told to a client. */
let told = 0;

let counted = { oomKills: 0, at: -Infinity };

/** How many processes have been ended for want of memory up to now. */
export function countOomKills(): number {
  const now = performance.now();
  if (now - counted.at > FRESH_MS) counted = { oomKills: readOomKills(), at: now };
  return counted.oomKills;
}

/**
 * Tells how a kernel's process ended. The sandbox counts what ends for want of memory, but not who:
 * a SIGKILL that the agent has not sent (`killed`) is one of them as long as the count is ahead of what was told,
 * and of what it was when the task began (`oomKills`).
 */
export function describeExit(
  status: ExitStatus,
  memory: MemoryState,
  { killed, oomKills, disk }: { readonly killed: boolean; readonly oomKills: number; readonly disk?: FullDisk | undefined },
): KernelDiedMessage {
  if (disk !== undefined) return { type: "kernel_died", reason: "disk", exitCode: null, signal: "SIGKILL", ...disk };
  if (status >= 0) return { type: "kernel_died", reason: "exited", exitCode: status, signal: null };
  const signal = Object.entries(constants.signals).find(([, number]) => number === -status)?.[0] ?? `${-status}`;
  const known = Math.max(told, oomKills);
  if (signal === "SIGKILL" && !killed && memory.oomKills > known) {
    told = known + 1;
    const { limitBytes, peakBytes } = memory;
    return { type: "kernel_died", reason: "oom", exitCode: null, signal, limitBytes, peakBytes };
  }
  return { type: "kernel_died", reason: "signalled", exitCode: null, signal };
}
