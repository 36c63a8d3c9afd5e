import * as z from "zod";
import { readMessage } from "./messages.ts";

/**
 * What a kernel tells of calls of host functions, in frames of the kind `call`. A kernel runs hostile code, so each is checked
 * where it comes in.
 */
export type CallMessage = HostCallRequest | HostCallCancel | HostCallDone;

/** Code in the kernel calls what a client has exposed, and waits for a `host_call_reply` with the number. */
export interface HostCallRequest {
  readonly type: "host_call_request";
  /** Who has exposed it. */
  readonly client: string;
  readonly number: number;
  readonly name: string;
  /** The arguments, encoded as variables are. */
  readonly value?: unknown;
  /** Numbers of calls whose replies have arrived. */
  readonly done: readonly number[];
}

/** Nobody waits for the reply any more. */
export interface HostCallCancel {
  readonly type: "host_call_cancel";
  readonly client: string;
  readonly number: number;
}

export interface HostCallDone {
  readonly type: "host_call_done";
  readonly client: string;
  /** Numbers of calls whose replies have arrived. */
  readonly done: readonly number[];
  /** All of the client's calls that wait for a reply; absent when that is not told. */
  readonly open?: readonly number[] | undefined;
}

/** The longest message about a call: 256 MiB. */
export const MAX_CALL_BYTES: number = 256 * 1024 * 1024;

const number = z.int().nonnegative();
const head = { client: z.string(), number };

const callMessage: z.ZodType<CallMessage> = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("host_call_request"),
    ...head,
    name: z.string(),
    value: z.unknown(),
    done: z.array(number),
  }),
  z.object({ type: z.literal("host_call_cancel"), ...head }),
  z.object({ type: z.literal("host_call_done"), client: z.string(), done: z.array(number), open: z.array(number).optional() }),
]);

/** Reads the payload of a message in `call` frames; throws when it isn't one. */
export function decodeCall(bytes: Buffer): CallMessage {
  return callMessage.parse(readMessage(bytes));
}
