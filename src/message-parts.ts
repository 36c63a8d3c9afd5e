import { type Frame, FrameFlag } from "./protocol/frame.ts";

/** Puts messages together that came in several frames. */
export class MessageParts {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  /** Bytes of messages of which a part is gone: the rest of them is good for nothing. */
  lostBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that have come of a message that is not complete. */
  get unfinishedBytes(): number {
    return this.#bytes;
  }

  /** The message that the frame completes, if it does; a RangeError when it is too long. */
  add({ flags, payload }: Frame): Buffer | undefined {
    const continued = (flags & FrameFlag.continued) !== 0;
    if (continued && this.#parts.length === 0) {
      // The end itself comes again, and is no output.
      if ((flags & FrameFlag.last) === 0) this.lostBytes += payload.length;
      return undefined;
    }
    if (!continued) this.gap();
    if ((flags & FrameFlag.more) === 0 && !continued) return payload;
    this.#bytes += payload.length;
    if (this.#bytes > this.#maxBytes) {
      this.gap();
      throw new RangeError(`a message is longer than ${this.#maxBytes} bytes`);
    }
    this.#parts.push(payload);
    if ((flags & FrameFlag.more) !== 0) return undefined;
    const whole = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    return whole;
  }

  /** Frames are missing before the next one: half a message will not become a whole one. */
  gap(): void {
    this.lostBytes += this.#bytes;
    this.#parts = [];
    this.#bytes = 0;
  }
}
