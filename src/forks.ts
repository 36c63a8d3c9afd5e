import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { QuestionOptions } from "./client-options.ts";
import { ExecutionTimeoutError, IpyboxError } from "./errors.ts";
import { deferred } from "./internal/deferred.ts";
import { Stopwatch } from "./internal/stopwatch.ts";
import { expectReply } from "./introspection.ts";
import { DEFAULTS } from "./options.ts";
import { noResult, Question } from "./question.ts";
import type { Session } from "./session.ts";

/** How it fails to join a fork that is still to be made. */
const NOT_YET: readonly string[] = ["kernel_not_found", "connect_failed", "kernel_start_failed"];

/** A fork that could not be joined is tried again after so long. */
const JOIN_AGAIN_MS = 50;

/** A client, as far as it matters here. */
interface Leavable {
  disconnect(): Promise<void>;
}

/** A kernel that is to be forked, and how its forks are joined. */
export interface Forkable<Client extends Leavable> {
  readonly session: Session;
  /** Whether the client that forks is still connected. */
  readonly isConnected: () => boolean;
  readonly connectTimeoutMs: number;
  /** Connects to a kernel; `signal` gives that up. */
  readonly join: (kernelId: string, signal: AbortSignal) => Promise<Client>;
}

/** Has a kernel fork itself `count` times, and joins the forks while they are made: all of them, or none is left. */
export async function forkKernel<Client extends Leavable>(
  kernel: Forkable<Client>,
  count: number,
  options: QuestionOptions,
): Promise<Client[]> {
  const { session } = kernel;
  const kernels = Array.from({ length: count }, () => randomUUID());
  const asked = Question.ask(session, { type: "fork_request", execution: session.number(), kernels }, options).then((reply) => {
    const { status, evalue = "" } = expectReply(reply, "fork_reply");
    if (status === "error") throw new IpyboxError("kernel_start_failed", `The kernel can't be forked: ${evalue}.`);
  });
  const failing = new AbortController();
  asked.catch((error: unknown) => failing.abort(error));
  const joining = kernels.map((kernelId) => joinFork(kernel, kernelId, asked, failing.signal));
  const all = Promise.all(joining);
  all.catch(() => undefined); // awaited below, unless the kernel can't be forked
  const limit = new Limit(options);
  try {
    await asked;
    return await limit.keep(all);
  } catch (error) {
    const left = leave(joining);
    // A fork that takes too long is left when it is there.
    if (limit.isOver) left.catch(() => undefined);
    else await left;
    throw error;
  }
}

/** Connects to a fork, at once if it is just being made, and after it is by `asked` otherwise. */
async function joinFork<Client extends Leavable>(
  { join, isConnected, connectTimeoutMs }: Forkable<Client>,
  kernelId: string,
  asked: Promise<void>,
  signal: AbortSignal,
): Promise<Client> {
  try {
    return await join(kernelId, signal);
  } catch (error) {
    if (!(error instanceof IpyboxError && NOT_YET.includes(error.code))) throw error;
    await asked;
  }
  const startedAt = performance.now();
  // Without it the fork would be lost: nobody else knows of it.
  for (;;) {
    try {
      return await join(kernelId, signal);
    } catch (error) {
      const failed = error instanceof IpyboxError && error.code === "connect_failed";
      if (!failed || performance.now() - startedAt > connectTimeoutMs || !isConnected()) throw error;
      await delay(JOIN_AGAIN_MS);
    }
  }
}

/** Leaves, and so ends, the forks that were joined, as soon as it is known of each whether it was. */
async function leave(joining: readonly Promise<Leavable>[]): Promise<void> {
  const outcomes = await Promise.allSettled(joining);
  const joined = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  await Promise.all(joined.map((client) => client.disconnect()));
}

/** How long forks that are made may take until they are joined. */
class Limit {
  readonly #over = deferred<never>();
  readonly #timeoutMs: number | null;
  readonly #signal: AbortSignal | undefined;
  isOver = false;

  constructor({ timeoutMs = DEFAULTS.timeoutMs, signal }: QuestionOptions) {
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
  }

  async keep<T>(promise: Promise<T>): Promise<T> {
    const abort = (): void => this.#end(this.#signal?.reason);
    const watch = new Stopwatch(this.#timeoutMs, () => {
      this.#end(new ExecutionTimeoutError(this.#timeoutMs ?? 0, noResult(), false));
    });
    watch.run();
    if (this.#signal?.aborted === true) abort();
    this.#signal?.addEventListener("abort", abort, { once: true });
    try {
      return await Promise.race([promise, this.#over.promise]);
    } finally {
      watch.halt();
      this.#signal?.removeEventListener("abort", abort);
    }
  }

  #end(reason: unknown): void {
    this.isOver = true;
    this.#over.reject(reason);
  }
}
