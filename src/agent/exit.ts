import { constants } from "node:os";
import type { KernelDiedMessage } from "../protocol/lifecycle.ts";
import type { ExitStatus } from "./kernel-process.ts";
import type { MemoryState } from "./memory.ts";

/** Why a kernel was ended that has filled the sandbox's disk. */
export interface FullDisk {
  readonly limitBytes: number;
  /** What cells had written by then. */
  readonly peakBytes: number;
}

/** How many ends of processes for want of memory have been told to a client. */
let told = 0;

/**
 * Tells how a kernel's process ended. The sandbox counts what ends for want of memory, but not who:
 * a SIGKILL is one of them as long as the count is ahead of what was told.
 */
export function describeExit(status: ExitStatus, memory: MemoryState, disk?: FullDisk): KernelDiedMessage {
  if (disk !== undefined) return { type: "kernel_died", reason: "disk", exitCode: null, signal: "SIGKILL", ...disk };
  if (status >= 0) return { type: "kernel_died", reason: "exited", exitCode: status, signal: null };
  const signal = Object.entries(constants.signals).find(([, number]) => number === -status)?.[0] ?? `${-status}`;
  if (signal === "SIGKILL" && memory.oomKills > told) {
    told += 1;
    const { limitBytes, peakBytes } = memory;
    return { type: "kernel_died", reason: "oom", exitCode: null, signal, limitBytes, peakBytes };
  }
  return { type: "kernel_died", reason: "signalled", exitCode: null, signal };
}
