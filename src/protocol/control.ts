import { z } from "zod";

/**
 * What passes between a container's owner and its agent, as JSON in text messages of a WebSocket at
 * `CONTROL_PATH`. Not to do with any kernel: those have connections of their own.
 */
export const CONTROL_PATH = "/v1/control";

/** No message of the owner's is longer. */
export const MAX_CONTROL_BYTES: number = 4 * 1024 * 1024;

/** What the owner asks for. */
export type ControlRequest = { readonly type: "ping_request" };

/** An owner's request on the wire; answered by one reply with its id. */
export type NumberedRequest = ControlRequest & { readonly id: number };

/** What the agent answers. */
export type ControlReply =
  | { readonly type: "ping_reply"; readonly id: number }
  /** The request could not be met. */
  | { readonly type: "error_reply"; readonly id: number; readonly message: string };

/** What the agent tells each owner by itself. */
export type ControlEvent =
  /** The agent is about to end, and the container with it. */
  { readonly type: "ending"; readonly reason: string };

const id = z.int();

/** Read by the agent: the owner is trusted, but may be of another version. */
export const controlRequest: z.ZodType<NumberedRequest> = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ping_request"), id }),
]);

/** Read by the owner. */
export const controlMessage: z.ZodType<ControlReply | ControlEvent> = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ping_reply"), id }),
  z.object({ type: z.literal("error_reply"), id, message: z.string() }),
  z.object({ type: z.literal("ending"), reason: z.string() }),
]);
