import * as z from "zod";

/**
 * Messages that the agent itself puts into a kernel's sequence, in frames of a kind that no kernel can
 * send. Their names are ipybox's own; all others are Jupyter's (`messages.ts`).
 */
export type LifecycleMessage =
  /** The execution waits for others; its time does not count yet. */
  | { readonly type: "execution_queued" }
  /** An execution that was queued runs now. */
  | { readonly type: "execution_started" }
  /** The execution runs in a new process: what cells before it have set is gone. */
  | { readonly type: "kernel_restarted" }
  /** Its question of that number, an `input_request`, has an answer: nobody else needs to be asked. */
  | { readonly type: "input_answered"; readonly number: number }
  /** The execution was not run, or not to its end. */
  | { readonly type: "execution_aborted"; readonly reason: "stopOnError" | "interrupted" | "reset" }
  /** The execution has ended, but how is not known any more. */
  | { readonly type: "execution_lost" }
  | { readonly type: "kernel_start_failed"; readonly message: string; readonly bound?: Bound | undefined }
  /** A `reset_request` is done. */
  | { readonly type: "reset_reply" }
  | KernelDiedMessage;

/** What a sandbox can have used up. */
export type Bound = "pids" | "memory" | "disk";

export interface KernelDiedMessage {
  readonly type: "kernel_died";
  readonly reason: "exited" | "signalled" | "oom" | "disk" | "reset";
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly limitBytes?: number | undefined;
  readonly peakBytes?: number | undefined;
}

const lifecycleMessage: z.ZodType<LifecycleMessage> = z.discriminatedUnion("type", [
  z.object({ type: z.literal("execution_queued") }),
  z.object({ type: z.literal("execution_started") }),
  z.object({ type: z.literal("kernel_restarted") }),
  z.object({ type: z.literal("input_answered"), number: z.number() }),
  z.object({ type: z.literal("execution_aborted"), reason: z.enum(["stopOnError", "interrupted", "reset"]) }),
  z.object({ type: z.literal("execution_lost") }),
  z.object({
    type: z.literal("kernel_start_failed"),
    message: z.string(),
    bound: z.enum(["pids", "memory", "disk"]).optional(),
  }),
  z.object({ type: z.literal("reset_reply") }),
  z.object({
    type: z.literal("kernel_died"),
    reason: z.enum(["exited", "signalled", "oom", "disk", "reset"]),
    exitCode: z.number().nullable(),
    signal: z.string().nullable(),
    limitBytes: z.number().optional(),
    peakBytes: z.number().optional(),
  }),
]);

/** Reads the payload of a `lifecycle` frame; throws when it isn't one. */
export function decodeLifecycle(bytes: Buffer): LifecycleMessage {
  return lifecycleMessage.parse(JSON.parse(bytes.toString()));
}
