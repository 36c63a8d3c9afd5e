import { MessageParts } from "./message-parts.ts";
import type { ExecutionEvent } from "./protocol/events.ts";
import { type Frame, FrameKind } from "./protocol/frame.ts";
import { decodeLifecycle, type LifecycleMessage } from "./protocol/lifecycle.ts";
import { decodeMessage, type KernelMessage } from "./protocol/messages.ts";
import { StreamDecoder } from "./stream-decoder.ts";

/** The longest message that is put together from a kernel's frames: 1 GiB. */
const MAX_MESSAGE_BYTES = 2 ** 30;

/** What a frame says: something of the cell, or something of its life. */
export type Decoded = KernelMessage | LifecycleMessage;

/** Turns the frames of one execution into messages. */
export class MessageDecoder {
  readonly #streams = { stdout: new StreamDecoder(), stderr: new StreamDecoder() };
  readonly #parts = new MessageParts(MAX_MESSAGE_BYTES);

  /** Bytes of messages of which a part is gone: the rest of them is good for nothing. */
  get lostBytes(): number {
    return this.#parts.lostBytes;
  }

  /** Bytes that have come of a message that is not complete. */
  get unfinishedBytes(): number {
    return this.#parts.unfinishedBytes;
  }

  /** Undefined when the frame is only a part of a message. Throws when it isn't what it should be. */
  decode(frame: Frame): Decoded | undefined {
    switch (frame.kind) {
      case FrameKind.stdout:
        return this.#stream("stdout", frame);
      case FrameKind.stderr:
        return this.#stream("stderr", frame);
      case FrameKind.message:
        return this.#message(frame);
      case FrameKind.lifecycle:
        return decodeLifecycle(frame.payload);
      default:
        throw new TypeError(`frames of kind ${frame.kind} are no part of an execution`);
    }
  }

  /** Frames are missing before the next one: half a message will not become a whole one. */
  gap(): void {
    this.#parts.gap();
  }

  /** What the streams still hold at the end: halves of characters. */
  *end(): Generator<ExecutionEvent> {
    for (const name of ["stdout", "stderr"] as const) {
      const text = this.#streams[name].end();
      if (text !== "") yield { type: "stream", name, text };
    }
  }

  #stream(name: "stdout" | "stderr", frame: Frame): Decoded {
    return { type: "stream", name, text: this.#streams[name].decode(frame) };
  }

  #message(frame: Frame): Decoded | undefined {
    const whole = this.#parts.add(frame);
    return whole && decodeMessage(whole);
  }
}
