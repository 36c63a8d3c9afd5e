import { randomBytes } from "node:crypto";
import type { Policy } from "./policy.ts";
import { reachOf } from "./reach.ts";
import { LOG_GROUP, type RulesOptions } from "./rules.ts";
import { networkScript } from "./script.ts";

export interface NetworkTaskOptions extends RulesOptions {
  /** Cells may run meanwhile, and have connections open. */
  readonly cellsRun: boolean;
  /** Addresses of the host: out of reach under `public`, like the container's own networks. */
  readonly near: readonly string[];
}

/** What `python/ipybox_network` is told, as JSON. */
export function networkTask(policy: Policy, options: NetworkTaskOptions): string {
  const generation = randomBytes(4).toString("hex");
  return JSON.stringify({
    ...networkScript(policy, generation, options),
    generation,
    log_group: policy.kind === "internet" ? null : LOG_GROUP,
    near: options.near,
    cells_run: options.cellsRun,
    cut: options.cellsRun && policy.kind !== "internet" ? reachOf(policy) : null,
  });
}
