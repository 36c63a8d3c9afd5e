import type { Kernels } from "./kernels.ts";
import type { Owners } from "./owners.ts";

/** Connections have so long to learn why they are closed. */
const FAREWELL_MS = 200;

/** Who is told of the sandbox's end; there are no kernels before it was configured. */
export interface Told {
  readonly kernels: Kernels | undefined;
  readonly owners: Owners;
}

/** Ends the agent, and with it the sandbox; `code` and `reason` tell clients and owners why. */
export function endSandbox({ kernels, owners }: Told, code: "container_culled" | "container_abandoned", reason: string): void {
  kernels?.close(code, reason);
  owners.tell({ type: "ending", reason });
  setTimeout(() => process.exit(0), FAREWELL_MS);
}
