import { encodeMessageFrame, FrameFlag, writeSequence } from "../protocol/frame.ts";
import type { LifecycleMessage } from "../protocol/lifecycle.ts";
import type { Connection } from "./connection.ts";
import { ReplayBuffer } from "./replay.ts";

/** The ends of so many executions are kept, should they be gone from the replay buffer. */
const REMEMBERED_ENDS = 256;

/** An execution's last frame. */
interface End {
  readonly sequence: number;
  /** Undefined when the frame is only the last part of a message. */
  readonly frame: Buffer | undefined;
}

/** All that a kernel gives: numbered, kept for a while, and sent to each of its clients. */
export class Output {
  readonly #replay = new ReplayBuffer();
  readonly #connections = new Set<Connection>();
  readonly #ends = new Map<number, End>();
  readonly #onBalance: () => void;

  /** `onBalance` is called when the clients may take more or less than before. */
  constructor(onBalance: () => void) {
    this.#onBalance = onBalance;
  }

  /** The sequence of the next frame. */
  get nextSequence(): number {
    return this.#replay.end.sequence;
  }

  /** Whether some client reads slower than the kernel writes. */
  get full(): boolean {
    for (const connection of this.#connections) if (connection.full) return true;
    return false;
  }

  /** Sends a client what it misses since `after` (`latest`: nothing), then all that follows. */
  attach(connection: Connection, kernelId: string, after: number | "latest"): void {
    const sequence = after === "latest" ? this.nextSequence - 1 : after;
    const start = this.#replay.startAfter(sequence);
    connection.control({ type: "ready", kernelId, nextSequence: start.sequence, position: start.position });
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
    const frame = encodeMessageFrame(message, execution, flags);
    if ((flags & FrameFlag.last) !== 0) this.ended(execution, this.nextSequence, frame);
    this.#send(frame);
  }

  /** Remembers an execution's last frame. */
  ended(execution: number, sequence: number, frame: Buffer | undefined): void {
    this.#ends.set(execution, { sequence, frame });
    if (this.#ends.size > REMEMBERED_ENDS) this.#ends.delete(this.#ends.keys().next().value as number);
  }

  /** Sends the end of an execution again, unless it is replayed anyway. */
  repeatEnd(execution: number): void {
    const end = this.#ends.get(execution);
    if (end !== undefined && this.#replay.startAfter(end.sequence - 1).sequence <= end.sequence) return;
    if (end?.frame === undefined) {
      this.emit({ type: "execution_lost" }, execution, FrameFlag.last);
    } else {
      const frame = Buffer.from(end.frame);
      this.ended(execution, this.nextSequence, frame);
      this.#send(frame);
    }
  }

  /** Closes all connections; `code` tells the clients why. */
  close(code: string, message: string): void {
    for (const connection of this.#connections) connection.close(code, message);
    this.#connections.clear();
  }

  #send(frame: Buffer): void {
    writeSequence(frame, 0, this.nextSequence);
    this.publish(frame, 1);
  }
}
