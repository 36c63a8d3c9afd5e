import { encodeFrame, type Frame, FrameKind, readFrames } from "../protocol/frame.ts";
import { QUESTION_TYPES, type Request } from "../protocol/requests.ts";
import type { Connection } from "./connection.ts";
import type { Kernel } from "./kernel.ts";
import type { KernelProcess } from "./kernel-process.ts";

/** Below it, a kernel's id is part of a URL and of an environment variable. */
export const KERNEL_ID: RegExp = /^[0-9a-z-]{8,64}$/;

const MAX_FORKS = 1_024;

/** Kernels that are about to be forked. */
export interface Forks {
  /** Ends those that there are: the fork as a whole has failed. */
  remove(): void;
}

/** A client's connection to a kernel. */
export interface Recipient {
  readonly kernel: Kernel;
  readonly connection: Connection;
  fork(ids: readonly string[], process: KernelProcess): Forks;
  shutdown(): void;
}

/** Does what a client asks for in one WebSocket message. */
export function receive(data: Buffer, recipient: Recipient): void {
  try {
    for (const frame of readFrames(data)) act(frame, recipient);
  } catch (error) {
    recipient.connection.close("protocol_violation", error instanceof Error ? error.message : String(error));
  }
}

function act(frame: Frame, recipient: Recipient): void {
  const { kernel, connection } = recipient;
  const request = readRequest(frame);
  if (request.type === "shutdown_request") {
    recipient.shutdown();
    return;
  }
  if (request.type === "received") {
    if (!Number.isSafeInteger(request.bytes)) throw new TypeError("bytes must be an integer");
    connection.received(request.bytes);
    return;
  }
  if (request.type === "host_calls_request") {
    kernel.relay(encodeFrame(frame.kind, frame.payload));
    return;
  }
  const number = executionNumber(request.execution);
  switch (request.type) {
    case "execute_request":
      if (typeof request.code !== "string") throw new TypeError("code must be a string");
      kernel.enqueue({
        number,
        frame: encodeFrame(frame.kind, frame.payload, number),
        stopOnError: request.stopOnError === true,
        isCell: true,
      });
      break;
    case "fork_request": {
      const ids = kernelIds(request.kernels);
      let forks: Forks | undefined;
      kernel.enqueue({
        number,
        frame: encodeFrame(frame.kind, frame.payload, number),
        stopOnError: false,
        isCell: false,
        prepare: (process) => (forks = recipient.fork(ids, process)),
        onEnd: (failed) => {
          if (failed) forks?.remove();
        },
      });
      break;
    }
    case "interrupt_request":
      kernel.interrupt(number);
      break;
    case "input_reply":
      if (!Number.isSafeInteger(request.number)) throw new TypeError("number must be an integer");
      kernel.answer(number, request.number, frame.payload);
      break;
    case "host_call_reply":
      kernel.relay(encodeFrame(frame.kind, frame.payload, number));
      break;
    case "expose_request":
      if (typeof request.client !== "string") throw new TypeError("client must be a string");
      kernel.expose(request.client, number, frame.kind, frame.payload);
      break;
    case "reset_request":
      kernel.reset(number);
      break;
    case "resume_request":
      if (kernel.knows(number)) kernel.resume(number);
      else connection.control({ type: "execution_not_found", execution: number });
      break;
    default:
      if (!QUESTION_TYPES.has(request.type)) throw new TypeError(`unknown request type ${JSON.stringify(request.type)}`);
      kernel.enqueue({ number, frame: encodeFrame(frame.kind, frame.payload, number), stopOnError: false, isCell: false });
  }
}

/** The JSON of a request; one with bytes in it is a message, whose JSON has its length before it. */
function readRequest({ kind, payload }: Frame): Request {
  if (kind !== FrameKind.request && kind !== FrameKind.message) throw new TypeError(`frames of kind ${kind} are not requests`);
  const json = kind === FrameKind.request ? payload : payload.subarray(4, 4 + payload.readUInt32LE(0));
  const request: unknown = JSON.parse(json.toString());
  if (typeof request !== "object" || request === null) throw new TypeError("a request must be an object");
  return request as Request;
}

function executionNumber(value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > 0xffff_ffff) {
    throw new TypeError("execution must be an integer from 1 to 4294967295");
  }
  return value;
}

function kernelIds(value: unknown): readonly string[] {
  const valid =
    Array.isArray(value) && value.length > 0 && value.length <= MAX_FORKS && value.every((id) => KERNEL_ID.test(String(id)));
  if (!valid || new Set(value).size < value.length) {
    throw new TypeError(`kernels must be an array of 1 to ${MAX_FORKS} kernel ids, each once`);
  }
  return value as string[];
}
