import type { InputHandler } from "./client-options.ts";
import { IpyboxError } from "./errors.ts";
import { Execution, type ExecutionHost } from "./execution.ts";
import { executionId, Session } from "./session.ts";
import type { KernelTarget } from "./target.ts";

export interface ReplayOptions {
  readonly fromSequence: number;
  readonly connectTimeoutMs: number;
  readonly onInput: InputHandler | undefined;
  /** Ends the replay. */
  readonly signal: AbortSignal;
}

/** An execution over a connection of its own: what is kept of it comes first, then what follows. */
export function replayExecution(target: KernelTarget, number: number, options: ReplayOptions): Execution {
  const { fromSequence, connectTimeoutMs, onInput, signal } = options;
  let session: Session | undefined;
  const host: ExecutionHost = {
    send: (request) => session?.send(request),
    balance: () => session?.balance(),
    drainBefore: () => undefined,
  };
  // Its submitter has set a time limit; this is only another reader.
  const execution = new Execution({ type: "resume_request", execution: number }, host, { timeoutMs: null, onInput });
  const end = (): void => {
    execution.fail(
      new IpyboxError("disconnected", `The client was disconnected before execution ${executionId(number)} was done.`),
    );
  };
  const ignore = (): void => undefined;
  const calls = { onCall: ignore, onReconnected: ignore, onDied: ignore };
  const events = { ...calls, onOther: ignore, onGap: ignore, onLost: (error: IpyboxError) => execution.fail(error) };
  const run = async (): Promise<void> => {
    signal.addEventListener("abort", end, { once: true });
    try {
      session = await Session.open(target, { after: fromSequence - 1, timeoutMs: connectTimeoutMs, signal }, events, execution);
      await execution.ended;
      await session.close(false);
    } finally {
      signal.removeEventListener("abort", end);
    }
  };
  run().catch((error: unknown) => execution.fail(error));
  return execution;
}
