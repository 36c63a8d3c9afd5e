import { atDeadline } from "./timer.ts";

/** A signal that aborts after a while, with a reason of its own. It keeps no process alive. */
export function abortAfter(timeoutMs: number, reason: () => Error): AbortSignal {
  const controller = new AbortController();
  atDeadline(timeoutMs, () => controller.abort(reason()), { ref: false });
  return controller.signal;
}
