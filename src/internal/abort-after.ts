import { timerMs } from "./timer.ts";

/** A signal that aborts after a while, with a reason of its own. It keeps no process alive. */
export function abortAfter(timeoutMs: number, reason: () => Error): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason()), timerMs(timeoutMs)).unref();
  return controller.signal;
}
