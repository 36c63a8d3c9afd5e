/** What is kept of replies, until it is known that they have arrived. */
const MAX_BYTES = 256 * 1024 * 1024;
/** Twice as many as there can be open calls: a kernel that never says what has arrived must not fill the memory. */
const MAX_REPLIES = 8_192;

/** Replies that may have to be sent again, should the connection drop. */
export class ReplyOutbox {
  readonly #replies = new Map<number, { frame: Buffer; readonly instead: () => Buffer }>();
  #bytes = 0;

  has(number: number): boolean {
    return this.#replies.has(number);
  }

  /** Keeps a reply; `instead` makes the one that takes its place when there is no room for it. */
  add(number: number, frame: Buffer, instead: () => Buffer): void {
    this.#replies.set(number, { frame, instead });
    this.#bytes += frame.length;
    if (this.#bytes > MAX_BYTES) this.#shrink(number);
    if (this.#replies.size > MAX_REPLIES) this.delete(this.#replies.keys().next().value as number);
  }

  /** It has arrived. */
  delete(number: number): void {
    this.#bytes -= this.#replies.get(number)?.frame.length ?? 0;
    this.#replies.delete(number);
  }

  keepOnly(numbers: ReadonlySet<number>): void {
    for (const number of [...this.#replies.keys()]) if (!numbers.has(number)) this.delete(number);
  }

  /** All that is kept, oldest first. */
  *frames(): Generator<Buffer> {
    for (const { frame } of this.#replies.values()) yield frame;
  }

  /** Large replies become small ones, oldest first, but for the last one. */
  #shrink(last: number): void {
    for (const [number, reply] of this.#replies) {
      if (this.#bytes <= MAX_BYTES || number === last) return;
      const frame = reply.instead();
      if (frame.length >= reply.frame.length) continue;
      this.#bytes += frame.length - reply.frame.length;
      reply.frame = frame;
    }
  }
}
