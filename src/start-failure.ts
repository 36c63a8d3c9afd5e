import { IpyboxError, type ErrorDetails } from "./errors.ts";
import type { Bound } from "./protocol/lifecycle.ts";

/** The error for a kernel without a process. `bound` is what the container has used up, if the agent knows. */
export function startFailure(reason: string, bound: Bound | undefined, details: ErrorDetails = {}): IpyboxError {
  return new IpyboxError("kernel_start_failed", `No kernel could be started: ${reason}.`, {
    details: { ...details, ...(bound === undefined ? {} : { bound }) },
  });
}
