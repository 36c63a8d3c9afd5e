import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Seeded } from "../seeded.ts";

/** How bad the line is; an empty object is a good one. */
export interface Line {
  readonly latencyMs?: number | undefined;
  /** The latency varies by so much; the order stays. */
  readonly jitterMs?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
  /** Writes of 1 to so many bytes. */
  readonly sliceBytes?: number | undefined;
}

const MAX_QUEUED_BYTES = 4 * 1024 * 1024;

/** One direction of a connection. */
export class FaultyFlow {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #line: () => Line;
  readonly #random: Seeded;
  readonly #stopped: AbortSignal;
  /** Bytes that it has handed on. */
  bytes = 0;
  readonly #queue: { readonly chunk: Buffer; readonly dueAt: number }[] = [];
  #queuedBytes = 0;
  #pumping = false;
  #ended = false;
  #lastDueAt = 0;
  #swallows = false;
  #stalled = false;
  #left = Number.POSITIVE_INFINITY;
  #onSpent: () => void = () => undefined;

  constructor(from: Socket, to: Socket, line: () => Line, random: Seeded, stopped: AbortSignal) {
    this.#from = from;
    this.#to = to;
    this.#line = line;
    this.#random = random;
    this.#stopped = stopped;
    from.on("data", (chunk: Buffer) => {
      this.#take(chunk);
      if (this.#queuedBytes > MAX_QUEUED_BYTES) from.pause();
    });
    from.on("end", () => {
      this.#ended = true;
      void this.#pump();
    });
  }

  /** Whether nothing gets through, not even an end. */
  get dead(): boolean {
    return this.#swallows || this.#stalled;
  }

  /** From now on what comes is thrown away, and nobody is told. */
  swallow(): void {
    this.#swallows = true;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#from.resume();
  }

  /** From now on nothing is taken: it piles up where it comes from. */
  stall(): void {
    this.#stalled = true;
    this.#from.pause();
  }

  /** Calls `onSpent` when exactly so many more bytes have been handed on; nothing follows them. */
  limit(bytes: number, onSpent: () => void = () => undefined): void {
    this.#left = bytes;
    this.#onSpent = onSpent;
    if (bytes === 0) onSpent();
  }

  #take(chunk: Buffer): void {
    if (this.#swallows) return;
    const { latencyMs = 0, jitterMs = 0 } = this.#line();
    const latency = Math.max(0, latencyMs + (this.#random.next() * 2 - 1) * jitterMs);
    this.#lastDueAt = Math.max(this.#lastDueAt, performance.now() + latency);
    this.#queue.push({ chunk, dueAt: this.#lastDueAt });
    this.#queuedBytes += chunk.length;
    void this.#pump();
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (let item = this.#queue.shift(); item !== undefined; item = this.#queue.shift()) {
        await this.#wait(item.dueAt - performance.now());
        for (const piece of this.#pieces(item.chunk)) {
          if (this.dead || this.#left === 0) break;
          await this.#write(piece);
        }
        this.#queuedBytes = Math.max(0, this.#queuedBytes - item.chunk.length);
        if (this.#queuedBytes < MAX_QUEUED_BYTES / 2 && !this.#stalled) this.#from.resume();
      }
      if (this.#ended && !this.dead && this.#to.writable) this.#to.end();
    } catch {
      // The proxy was disposed while it waited.
    } finally {
      this.#pumping = false;
    }
  }

  *#pieces(chunk: Buffer): Generator<Buffer> {
    const { sliceBytes, bytesPerSecond } = this.#line();
    for (let start = 0; start < chunk.length;) {
      const largest = bytesPerSecond === undefined ? chunk.length : Math.max(1, Math.ceil(bytesPerSecond / 50));
      const length = sliceBytes === undefined ? largest : this.#random.integer(1, sliceBytes);
      yield chunk.subarray(start, start + length);
      start += length;
    }
  }

  async #write(piece: Buffer): Promise<void> {
    const bytes = piece.subarray(0, Math.min(piece.length, this.#left));
    this.#left -= bytes.length;
    this.bytes += bytes.length;
    await new Promise<void>((resolve) => this.#to.write(bytes, () => resolve()));
    if (this.#left === 0) this.#onSpent();
    const { bytesPerSecond } = this.#line();
    if (bytesPerSecond !== undefined) await this.#wait((bytes.length / bytesPerSecond) * 1000);
  }

  async #wait(ms: number): Promise<void> {
    if (ms > 0) await delay(ms, undefined, { signal: this.#stopped });
  }
}
