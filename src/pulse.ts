/** A connection on which nothing came for so long is asked for a sign of life, and at last given up. */
const ASK_AFTER_MS = 3_000;
const GIVE_UP_AFTER_MS = 8_000;

/** What was sent before the question has to arrive first: so much of it a second, and so much time at most. */
const SLOW_BYTES_PER_SECOND = 128 * 1024;
const MOST_PATIENCE_MS = 30_000;

/** The counters of a `net.Socket`. */
export interface Wire {
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Bytes of those written that still wait. */
  readonly writableLength: number;
}

/** Tells whether a connection still lives, by the bytes that go over it. */
export class Pulse {
  readonly #wire: Wire;
  #signAt: number;
  #read = 0;
  #sent = 0;
  /** Bytes that were sent up to the last sign. */
  #sentAtSign = 0;

  constructor(wire: Wire, now: number = performance.now()) {
    this.#wire = wire;
    this.#signAt = now;
  }

  /** What is to be done about the connection. */
  check(now: number = performance.now()): "nothing" | "ask" | "give up" {
    const { bytesRead, bytesWritten, writableLength } = this.#wire;
    const sent = bytesWritten - writableLength;
    // Of what waits, some was taken: that is a sign, too.
    const lives = bytesRead !== this.#read || (writableLength > 0 && sent !== this.#sent);
    this.#read = bytesRead;
    this.#sent = sent;
    if (lives) this.rest(now);
    const silence = now - this.#signAt;
    const patience = GIVE_UP_AFTER_MS + ((sent - this.#sentAtSign) / SLOW_BYTES_PER_SECOND) * 1000;
    if (silence > Math.min(patience, MOST_PATIENCE_MS)) return "give up";
    return silence > ASK_AFTER_MS ? "ask" : "nothing";
  }

  /** Nothing can have come until now, and that says nothing. */
  rest(now: number = performance.now()): void {
    this.#signAt = now;
    this.#sentAtSign = this.#sent;
  }
}
