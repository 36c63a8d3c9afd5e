import { IpyboxError } from "../../errors.ts";
import { atDeadline } from "../../internal/timer.ts";
import type { Endpoint } from "./endpoint.ts";
import { engineFailure } from "./failures.ts";

/** How long the daemon may take to answer a question that costs it nothing. */
export const ANSWER_MS = 10_000;

/** How to wait for an answer. */
export interface AskOptions {
  readonly signal?: AbortSignal | undefined;
  /** Without a limit, only the signal ends the waiting. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Asks the daemon something. An answer that breaks off leaves dockerode waiting for ever, so the
 * limit holds whatever becomes of the request. All failures are `IpyboxError`s, or the signal's reason.
 */
export async function ask<T>(
  endpoint: Endpoint,
  what: string,
  request: (abortSignal: AbortSignal) => Promise<T>,
  { signal, timeoutMs }: AskOptions,
): Promise<T> {
  signal?.throwIfAborted();
  const deadline = new AbortController();
  const cancel = timeoutMs === undefined ? undefined : atDeadline(timeoutMs, () => deadline.abort());
  const abortSignal = signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal]);
  let stop: (() => void) | undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(abortSignal.reason as Error);
    abortSignal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([request(abortSignal), stopped]);
  } catch (error) {
    signal?.throwIfAborted();
    if (timeoutMs === undefined || !deadline.signal.aborted) throw engineFailure(what, error, endpoint);
    throw engineFailure(what, new Error(`it did not answer within ${timeoutMs / 1000} s`, { cause: error }), endpoint);
  } finally {
    cancel?.();
    if (stop !== undefined) abortSignal.removeEventListener("abort", stop);
  }
}

/** Makes sure that an answer has what is read of it: something else may listen where the daemon should. */
export function understood<T extends object>(what: string, answer: T, ...keys: readonly (keyof T)[]): T {
  const whole = typeof answer === "object" && answer !== null && keys.every((key) => (answer[key] ?? undefined) !== undefined);
  if (whole) return answer;
  throw notUnderstood(what);
}

/** Reads an answer; where it is not what a daemon gives, the error says so. */
export function reading<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof TypeError ? notUnderstood(what, error) : error;
  }
}

function notUnderstood(what: string, cause?: unknown): IpyboxError {
  return new IpyboxError("engine_failed", `${what}: the daemon's answer can't be understood.`, { cause });
}
