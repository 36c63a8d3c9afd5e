import { IpyboxError } from "./errors.ts";
import type { Output } from "./outputs.ts";
import type { ExecutionEvent } from "./protocol/events.ts";
import type { ExecutionResult } from "./result.ts";

/** The events of an execution for a reader that comes late: what the result has kept. Throws at the end what `outcome` rejects with. */
export async function* keptEvents(
  executionId: string,
  outcome: Promise<ExecutionResult>,
  snapshot: () => ExecutionResult,
): AsyncGenerator<ExecutionEvent, void, undefined> {
  await outcome.catch(() => undefined);
  const { outputs, truncated, executionCount } = snapshot();
  for (const output of outputs) yield eventOf(output, executionCount ?? 0);
  if (truncated) {
    throw new IpyboxError(
      "output_lost",
      `Execution ${executionId} gave more than maxOutputBytes before stream() was called: call it right after submit().`,
    );
  }
  await outcome;
}

function eventOf(output: Output, executionCount: number): ExecutionEvent {
  switch (output.kind) {
    case "stream":
      return { type: "stream", name: output.name, text: output.text };
    case "display":
      return { type: "display_data", data: output.data, metadata: output.metadata, transient: {} };
    case "result":
      return { type: "execute_result", execution_count: executionCount, data: output.data, metadata: output.metadata };
    case "error": {
      const { errorName: ename, errorValue: evalue, traceback, frames } = output;
      return { type: "error", ename, evalue, traceback: [traceback], frames };
    }
  }
}
