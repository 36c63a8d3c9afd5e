import { timerMs } from "../internal/timer.ts";
import { endSandbox } from "./ending.ts";
import type { FileWorkers } from "./file-workers.ts";
import type { Kernels } from "./kernels.ts";
import type { Owners } from "./owners.ts";

/** Ends the agent, and with it the sandbox, when no cell has run for `idleTimeoutMs`; never while one runs, or files are transferred. */
export function endWhenIdle(kernels: Kernels, files: FileWorkers, owners: Owners, idleTimeoutMs: number): void {
  const startedAt = Date.now();
  const look = (): void => {
    const idleMs = kernels.busy || files.busy ? 0 : Date.now() - Math.max(startedAt, kernels.idleSince, files.idleSince);
    if (idleMs < idleTimeoutMs) {
      setTimeout(look, timerMs(idleTimeoutMs - idleMs));
      return;
    }
    endSandbox({ kernels, owners }, "container_culled", `nothing ran in the container for ${idleTimeoutMs} ms (idleTimeoutMs)`);
  };
  setTimeout(look, timerMs(idleTimeoutMs));
}
