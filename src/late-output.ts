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

/** All halves together have at most so many bytes. */
const MAX_UNFINISHED_BYTES = 64 * 1024 * 1024;

/** Reads the frames that come after an execution's end. */
export class LateOutputs {
  readonly #decoders = new Map<number, MessageDecoder>();
  #unfinishedBytes = 0;

  /** What a frame adds; undefined when it is not late, or only a part of a message. */
  read(frame: Frame): LateOutput | undefined {
    if ((frame.flags & FrameFlag.late) === 0) return undefined;
    try {
      const decoder = this.#decoder(frame.execution);
      const before = decoder.unfinishedBytes;
      const message = decoder.decode(frame);
      this.#unfinishedBytes += decoder.unfinishedBytes - before;
      if (this.#unfinishedBytes > MAX_UNFINISHED_BYTES) this.gap();
      if (message === undefined || !isOutput(message)) return undefined;
      return { executionId: executionId(frame.execution), event: message };
    } catch {
      return undefined; // a cell has forged it
    }
  }

  /** Frames are missing before the next one. */
  gap(): void {
    this.#decoders.clear();
    this.#unfinishedBytes = 0;
  }

  #decoder(execution: number): MessageDecoder {
    const decoder = this.#decoders.get(execution) ?? new MessageDecoder();
    this.#decoders.delete(execution);
    this.#decoders.set(execution, decoder);
    const [oldest] = this.#decoders;
    if (oldest !== undefined && this.#decoders.size > KEPT_DECODERS) {
      this.#decoders.delete(oldest[0]);
      this.#unfinishedBytes -= oldest[1].unfinishedBytes;
    }
    return decoder;
  }
}

function isOutput(message: { readonly type: string }): message is ExecutionEvent {
  return ["stream", "display_data", "update_display_data", "clear_output", "execute_result", "error"].includes(message.type);
}
