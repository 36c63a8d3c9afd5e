import type { FileWorkers } from "./file-workers.ts";
import type { Kernels } from "./kernels.ts";
import type { Owners } from "./owners.ts";

/** Connections have so long to learn why they are closed. */
const FAREWELL_MS = 200;

/** Ends the agent, and with it the sandbox, when no cell has run for `idleTimeoutMs`; never while one runs, or files are transferred. */
export function endWhenIdle(kernels: Kernels, files: FileWorkers, owners: Owners, idleTimeoutMs: number): void {
  const startedAt = Date.now();
  const look = (): void => {
    const idleMs = kernels.busy || files.busy ? 0 : Date.now() - Math.max(startedAt, kernels.idleSince, files.idleSince);
    if (idleMs < idleTimeoutMs) {
      setTimeout(look, idleTimeoutMs - idleMs);
      return;
    }
    const reason = `nothing ran in the container for ${idleTimeoutMs} ms (idleTimeoutMs)`;
    kernels.close("container_culled", reason);
    owners.tell({ type: "ending", reason });
    setTimeout(() => process.exit(0), FAREWELL_MS);
  };
  setTimeout(look, idleTimeoutMs);
}
