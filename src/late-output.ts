import { MessageDecoder } from "./message-decoder.ts";
import type { ExecutionEvent } from "./protocol/events.ts";
import { type Frame, FrameFlag } from "./protocol/frame.ts";
import { executionId } from "./session.ts";

/** Output that came after its cell had ended: from a thread, a task or a process that the cell has left behind. */
export interface LateOutput {
  /** The execution that started what gives the output. */
  readonly executionId: string;
  readonly event: ExecutionEvent;
}

/** Halves of messages are kept for so many executions. */
const KEPT_DECODERS = 64;

/** Reads the frames that come after an execution's end. */
export class LateOutputs {
  readonly #decoders = new Map<number, MessageDecoder>();

  /** What a frame adds; undefined when it is not late, or only a part of a message. */
  read(frame: Frame): LateOutput | undefined {
    if ((frame.flags & FrameFlag.late) === 0) return undefined;
    try {
      const message = this.#decoder(frame.execution).decode(frame);
      if (message === undefined || !isOutput(message)) return undefined;
      return { executionId: executionId(frame.execution), event: message };
    } catch {
      return undefined; // a cell has forged it
    }
  }

  /** Frames are missing before the next one. */
  gap(): void {
    this.#decoders.clear();
  }

  #decoder(execution: number): MessageDecoder {
    const decoder = this.#decoders.get(execution) ?? new MessageDecoder();
    this.#decoders.delete(execution);
    this.#decoders.set(execution, decoder);
    if (this.#decoders.size > KEPT_DECODERS) this.#decoders.delete(this.#decoders.keys().next().value as number);
    return decoder;
  }
}

function isOutput(message: { readonly type: string }): message is ExecutionEvent {
  return ["stream", "display_data", "update_display_data", "clear_output", "execute_result", "error"].includes(message.type);
}
