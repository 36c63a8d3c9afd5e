import { HostCallError, messageOf } from "./host-call-error.ts";
import type { HostCallable } from "./host-function.ts";

/** What a cell is about to do, and may do only when it is approved. */
export interface ApprovalRequest {
  /** A host function, a tool of an MCP server, or a shell command (with `approveShellCommands`). */
  readonly kind: "function" | "tool" | "shell";
  /** Name of the function, `server.tool`, or `shell`. */
  readonly name: string;
  /** The arguments, as the function gets them; of a shell command `{ command }`. */
  readonly input: unknown;
  /** The execution that asks. */
  readonly executionId: string;
  /** Aborts when the answer is not needed any more: the cell was interrupted, or has ended. */
  readonly signal: AbortSignal;
}

/** `true` and `false` are short for accept and reject. `input` takes the place of the arguments; `reason` is told to the cell. */
export type ApprovalDecision =
  boolean | { readonly decision: "accept" | "reject"; readonly input?: unknown; readonly reason?: string | undefined };

/** Decides about a call. Its time does not count as the cell's. What it throws is a rejection with that reason. */
export type ApprovalHandler = (request: ApprovalRequest) => ApprovalDecision | Promise<ApprovalDecision>;

/** Asks for approval; gives the arguments to go on with. Throws a `HostCallError` when it is refused. */
export async function approve(handler: ApprovalHandler, callable: HostCallable, request: ApprovalRequest): Promise<unknown> {
  let decision: unknown;
  try {
    decision = await handler(request);
  } catch (error) {
    throw rejected(request, `onApproval failed: ${messageOf(error)}`);
  }
  if (decision === true) return request.input;
  if (decision === false) throw rejected(request);
  const { decision: verdict, input, reason } = Object(decision) as Exclude<ApprovalDecision, boolean>;
  if (verdict === "reject") throw rejected(request, typeof reason === "string" ? reason : undefined);
  if (verdict !== "accept") throw rejected(request, "onApproval gave neither true nor false nor a decision");
  return input === undefined ? request.input : await callable.parseInput(input);
}

function rejected({ kind, name, input }: ApprovalRequest, reason?: string): HostCallError {
  const what = kind === "shell" ? `The command ${JSON.stringify((input as { command?: unknown }).command)}` : name;
  return new HostCallError(
    "rejected",
    `${what} was rejected${reason === undefined || reason === "" ? "" : `: ${reason}`}`,
    "ApprovalRejected",
  );
}
