import type { ExecutionEvent } from "./protocol/events.ts";
import { type Frame, FrameFlag, FrameKind } from "./protocol/frame.ts";
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
  #parts: Buffer[] = [];
  #partBytes = 0;
  /** Bytes of messages of which a part is gone: the rest of them is good for nothing. */
  lostBytes = 0;

  /** Bytes that have come of a message that is not complete. */
  get unfinishedBytes(): number {
    return this.#partBytes;
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
    this.lostBytes += this.#partBytes;
    this.#parts = [];
    this.#partBytes = 0;
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

  #message({ flags, payload }: Frame): Decoded | undefined {
    const continued = (flags & FrameFlag.continued) !== 0;
    if (continued && this.#parts.length === 0) {
      // The end itself comes again, and is no output.
      if ((flags & FrameFlag.last) === 0) this.lostBytes += payload.length;
      return undefined;
    }
    if (!continued) this.gap();
    if ((flags & FrameFlag.more) === 0 && !continued) return decodeMessage(payload);
    this.#partBytes += payload.length;
    if (this.#partBytes > MAX_MESSAGE_BYTES) throw new RangeError(`a message is longer than ${MAX_MESSAGE_BYTES} bytes`);
    this.#parts.push(payload);
    if ((flags & FrameFlag.more) !== 0) return undefined;
    const whole = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#partBytes = 0;
    return decodeMessage(whole);
  }
}
