import { FrameKind, readFrames } from "../protocol/frame.ts";
import type { Request } from "../protocol/requests.ts";
import type { Kernel } from "./kernel.ts";

export interface ReceiveActions {
  shutdown(): void;
  violation(reason: string): void;
}

/** Does what a client asks for in one WebSocket message. */
export function receive(data: Buffer, kernel: Kernel, actions: ReceiveActions): void {
  try {
    for (const frame of readFrames(data)) {
      if (frame.kind !== FrameKind.request) throw new TypeError(`frames of kind ${frame.kind} are not requests`);
      const request = JSON.parse(frame.payload.toString()) as Partial<Request>;
      switch (request.type) {
        case "execute_request":
          if (typeof request.code !== "string") throw new TypeError("code must be a string");
          kernel.execute(executionNumber(request.execution), frame.payload, request.stopOnError === true);
          break;
        case "interrupt_request":
          kernel.interrupt(executionNumber(request.execution));
          break;
        case "shutdown_request":
          actions.shutdown();
          break;
        default:
          throw new TypeError(`unknown request type ${JSON.stringify(request.type)}`);
      }
    }
  } catch (error) {
    actions.violation(error instanceof Error ? error.message : String(error));
  }
}

function executionNumber(value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > 0xffff_ffff) {
    throw new TypeError("execution must be an integer from 1 to 4294967295");
  }
  return value;
}
