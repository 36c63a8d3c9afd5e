import * as z from "zod";
import { type Answer, parseAnswer } from "./answers.ts";
import type { ExecutionEvent } from "./events.ts";
import { encodeFrame, encodeJsonFrame, FrameKind } from "./frame.ts";
import type { Buffers, Request } from "./requests.ts";

/**
 * What a kernel tells of an execution: Jupyter's messages, with the content beside the `type`.
 * A kernel runs hostile code, so each is checked where it comes in.
 *
 * On the wire a message is a u32 with the length of its JSON, the JSON, and the bytes of its
 * `buffers`: pairs of a path in the message and a length, in order.
 */
const mimeBundle = z.record(z.string(), z.unknown());

const frame = z.object({ file: z.string(), line: z.number(), function: z.string(), code: z.string() });

const exception = { ename: z.string(), evalue: z.string(), traceback: z.array(z.string()), frames: z.array(frame) };

const display = { data: mimeBundle, metadata: mimeBundle };

const transient = z.looseObject({ display_id: z.string().optional() });

const payload = z.object({
  source: z.string(),
  data: mimeBundle.optional(),
  start: z.number().optional(),
  text: z.string().optional(),
  replace: z.boolean().optional(),
  filename: z.string().optional(),
  line_number: z.number().nullish(),
});

const end = { type: z.literal("execute_reply"), execution_count: z.number(), payload: z.array(payload) };

/** What a kernel itself can tell. */
export type KernelMessage = ExecutionEvent | Answer;

const kernelMessage: z.ZodType<ExecutionEvent> = z.discriminatedUnion("type", [
  z.object({ type: z.literal("execute_result"), execution_count: z.number(), ...display }),
  z.object({ type: z.literal("display_data"), ...display, transient }),
  z.object({ type: z.literal("update_display_data"), ...display, transient }),
  z.object({ type: z.literal("clear_output"), wait: z.boolean() }),
  z.object({ type: z.literal("input_request"), prompt: z.string(), password: z.boolean(), number: z.number() }),
  z.object({ type: z.literal("error"), ...exception }),
  z.discriminatedUnion("status", [
    z.object({ status: z.literal("ok"), ...end }),
    z.object({ status: z.literal("error"), ...end, ...exception }),
  ]),
]);

const buffers = z.array(z.tuple([z.array(z.string()).min(1).max(256), z.number().int().nonnegative()]));

/** A request whose `value` has bytes in it: `buffers` are their places and themselves. */
export function encodeMessage(message: object, buffers: Buffers): Buffer {
  const json = Buffer.from(JSON.stringify({ ...message, buffers: buffers.map(([path, bytes]) => [path, bytes.length]) }));
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat([length, json, ...buffers.map(([, bytes]) => bytes)]);
}

/** A request as the frame that it is sent in. */
export function encodeRequest(request: Request): Buffer {
  if (!("buffers" in request) || request.buffers === undefined || request.buffers.length === 0) {
    return encodeJsonFrame(FrameKind.request, request);
  }
  const { buffers, ...message } = request;
  return encodeFrame(FrameKind.message, encodeMessage(message, buffers));
}

/** Reads a message's payload; throws when it isn't one. */
export function decodeMessage(bytes: Buffer): KernelMessage {
  const json = readMessage(bytes);
  return parseAnswer(json) ?? kernelMessage.parse(json);
}

/** A message's JSON with its bytes in their places; throws when it isn't one. */
export function readMessage(bytes: Buffer): { readonly type?: unknown } {
  const end = 4 + bytes.readUInt32LE(0);
  const json = JSON.parse(bytes.toString("utf8", 4, end)) as { type?: unknown; buffers?: unknown };
  if (json.buffers !== undefined) {
    let offset = end;
    for (const [path, length] of buffers.parse(json.buffers)) {
      // A copy: a view would keep the whole of what was received with it.
      place(json, path, Uint8Array.from(bytes.subarray(offset, offset + length)));
      offset += length;
    }
  }
  return json;
}

function place(root: object, path: readonly string[], value: Uint8Array): void {
  let target = root as Record<string, unknown>;
  for (const key of path.slice(0, -1)) {
    const next = Object.hasOwn(target, key) ? target[key] : undefined;
    if (typeof next !== "object" || next === null) throw new TypeError(`no place for a buffer at ${path.join(".")}`);
    target = next as Record<string, unknown>;
  }
  Object.defineProperty(target, path.at(-1) as string, { value, enumerable: true, configurable: true, writable: true });
}
