import { encodeJsonFrame, FrameFlag, FrameKind, frameLength, writeSequence } from "../protocol/frame.ts";
import type { LifecycleMessage } from "../protocol/lifecycle.ts";
import type { Connection } from "./connection.ts";
import { ReplayBuffer } from "./replay.ts";
import type { ReplayBudget } from "./replay-budget.ts";

/** The ends of so many executions are kept, as long as they have so many bytes, should they be gone from the replay buffer. */
const REMEMBERED_ENDS = 256;
const REMEMBERED_BYTES = 2 * 1024 * 1024;

/** The message that ends an execution. */
export interface End {
  /** Of its first frame. */
  readonly sequence: number;
  /** All of its frames; undefined when they are too long to be kept twice. */
  readonly frames: Buffer | undefined;
}

/** All that a kernel gives: numbered, kept for a while, and sent to each of its clients. */
export class Output {
  readonly #replay: ReplayBuffer;
  readonly #connections = new Set<Connection>();
  readonly #ends = new Map<number, End>();
  #endBytes = 0;
  readonly #onBalance: () => void;

  /** `onBalance` is called when the clients may take more or less than before. */
  constructor(onBalance: () => void, budget: ReplayBudget) {
    this.#onBalance = onBalance;
    this.#replay = new ReplayBuffer(budget);
  }

  /** The sequence of the next frame. */
  get nextSequence(): number {
    return this.#replay.nextSequence;
  }

  /** Whether some client reads slower than the kernel writes. */
  get full(): boolean {
    for (const connection of this.#connections) if (connection.full) return true;
    return false;
  }

  /** Sends a client what it misses since `after` (`latest`: nothing), then all that follows. */
  attach(connection: Connection, kernelId: string, after: number | "latest"): void {
    const sequence = after === "latest" ? this.nextSequence - 1 : after;
    const nextSequence = this.#replay.startAfter(sequence);
    const gone = nextSequence > sequence + 1 ? [...this.#replay.gone] : undefined;
    connection.control({ type: "ready", kernelId, nextSequence, lastSequence: this.nextSequence - 1, gone });
    for (const block of this.#replay.after(sequence)) connection.send(block);
    this.#connections.add(connection);
    this.#onBalance();
  }

  /** A connection takes output again: a slow reader slows the cell, and only that. */
  drained(): void {
    this.#onBalance();
  }

  detach(connection: Connection): void {
    this.#connections.delete(connection);
    this.#onBalance();
  }

  /** Sends a block of `frames` whole frames that have their sequences already. */
  publish(block: Buffer, frames: number): void {
    this.#replay.push(block, frames);
    for (const connection of this.#connections) connection.send(block);
    this.#onBalance();
  }

  /** Sends a message of the agent's own. */
  emit(message: LifecycleMessage, execution: number, flags = 0): void {
    const frame = encodeJsonFrame(FrameKind.lifecycle, message, execution, flags);
    if ((flags & FrameFlag.last) !== 0) this.ended(execution, { sequence: this.nextSequence, frames: frame });
    this.#send(frame);
  }

  /** Remembers how an execution ended. */
  ended(execution: number, end: End): void {
    this.#forget(execution);
    this.#ends.set(execution, end);
    this.#endBytes += end.frames?.length ?? 0;
    while (this.#ends.size > REMEMBERED_ENDS || this.#endBytes > REMEMBERED_BYTES) {
      this.#forget(this.#ends.keys().next().value as number);
    }
  }

  /** Sends the end of an execution again, unless it is replayed anyway. */
  repeatEnd(execution: number): void {
    const end = this.#ends.get(execution);
    if (end !== undefined && this.#replay.startAfter(end.sequence - 1) <= end.sequence) return;
    if (end?.frames === undefined) {
      this.emit({ type: "execution_lost" }, execution, FrameFlag.last);
    } else {
      this.ended(execution, { sequence: this.nextSequence, frames: end.frames });
      this.#send(Buffer.from(end.frames));
    }
  }

  /** Closes all connections; `code` tells the clients why. */
  close(code: string, message: string): void {
    for (const connection of this.#connections) connection.close(code, message);
    this.#connections.clear();
    this.#replay.close();
  }

  #forget(execution: number): void {
    this.#endBytes -= this.#ends.get(execution)?.frames?.length ?? 0;
    this.#ends.delete(execution);
  }

  #send(block: Buffer): void {
    let frames = 0;
    for (let offset = 0; offset < block.length; frames += 1) {
      writeSequence(block, offset, this.nextSequence + frames);
      offset += frameLength(block, offset) as number;
    }
    this.publish(block, frames);
  }
}
