import type { Policy } from "./policy.ts";
import { reachOf } from "./reach.ts";
import { LOG_GROUP, networkScript, type RulesOptions } from "./rules.ts";

/** What `python/ipybox_network` is told, as JSON. */
export function networkTask(policy: Policy, options: RulesOptions & { readonly cutFlows: boolean }): string {
  return JSON.stringify({
    script: networkScript(policy, options),
    log_group: policy.kind === "internet" ? null : LOG_GROUP,
    cut: options.cutFlows && policy.kind !== "internet" ? reachOf(policy) : null,
  });
}
