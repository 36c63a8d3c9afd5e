import * as z from "zod";
import type { ControlEvent, ControlReply, DeniedEvent } from "./control.ts";

const id = z.int();

const denied: z.ZodType<DeniedEvent> = z.object({
  host: z.string(),
  port: z.int().optional(),
  protocol: z.enum(["tcp", "udp", "icmp", "other", "dns", "proxy"]),
  rule: z.string(),
  reason: z.string(),
  count: z.int(),
});

/** What the owner reads. Not in `control.ts`: the agent does without zod, which would make up almost half of it. */
export const controlMessage: z.ZodType<ControlReply | ControlEvent> = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ping_reply"), id }),
  z.object({ type: z.literal("error_reply"), id, message: z.string() }),
  z.object({ type: z.literal("network_reply"), id, resolverPort: z.int() }),
  z.object({ type: z.literal("ending"), reason: z.string() }),
  z.object({ type: z.literal("denied"), denials: z.array(denied) }),
]);
