import { FrameFlag, FrameKind, frameLength, HEADER_BYTES, readSequence } from "../protocol/frame.ts";

import { type Keeper, ReplayBudget } from "./replay-budget.ts";

/** Bytes and time that output is kept for a client that comes back. */
export const REPLAY_BYTES: number = 16 * 1024 * 1024;
export const REPLAY_MS: number = 10 * 60 * 1000;

/** Of so many executions it is known how much is gone. */
const REMEMBERED_EXECUTIONS = 4_096;

/** What is kept together is of about the same time. */
const SLAB_MS = 10_000;

/** Smaller blocks are kept together: a thousand small buffers cost several times their bytes. */
const SLAB_BYTES = 16 * 1024;

interface Block {
  /** Of a slab, the part that is filled. */
  bytes: Buffer;
  readonly first: number;
  last: number;
  readonly begun: number;
  /** When its last frame came. */
  at: number;
}

/** The last frames of a kernel, so that a client whose connection dropped misses nothing. */
export class ReplayBuffer implements Keeper {
  #blocks: Block[] = [];
  #start = 0;
  #bytes = 0;
  /** What the last block is a part of, when it can grow. */
  #slab: Buffer | undefined;
  #next = 1;
  readonly #gone = new Map<number, number>();
  readonly #budget: ReplayBudget;
  #closed = false;

  constructor(budget: ReplayBudget = new ReplayBudget()) {
    this.#budget = budget;
    budget.add(this);
  }

  get keptBytes(): number {
    return this.#bytes;
  }

  /** The sequence of the next frame. */
  get nextSequence(): number {
    return this.#next;
  }

  /** How many bytes of output are not there any more, by execution. The ends of executions and calls are no output. */
  get gone(): ReadonlyMap<number, number> {
    return this.#gone;
  }

  /** Keeps a block of whole frames, whose sequences go on from the last. */
  push(bytes: Buffer, frames: number, now: number = Date.now()): void {
    const first = this.#next;
    this.#next += frames;
    if (!this.#append(bytes, frames, now)) {
      this.#slab = bytes.length < SLAB_BYTES / 2 ? Buffer.allocUnsafeSlow(SLAB_BYTES) : undefined;
      if (this.#slab !== undefined) bytes.copy(this.#slab);
      const kept = this.#slab?.subarray(0, bytes.length) ?? bytes;
      this.#blocks.push({ bytes: kept, first, last: this.#next - 1, begun: now, at: now });
    }
    this.#count(bytes.length);
    while (this.#bytes - this.#oldestBytes >= REPLAY_BYTES && this.dropOldest());
    this.expire(now);
    this.#budget.enforce();
  }

  /** All but the last block can be let go. */
  dropOldest(): boolean {
    if (this.#start >= this.#blocks.length - 1) return false;
    const { bytes } = this.#blocks[this.#start] as Block;
    this.#start += 1;
    this.#count(-bytes.length);
    this.#forget(bytes);
    if (this.#start > 1024 && this.#start > this.#blocks.length / 2) {
      this.#blocks = this.#blocks.slice(this.#start);
      this.#start = 0;
    }
    return true;
  }

  expire(now: number): void {
    while (now - (this.#blocks[this.#start]?.at ?? now) >= REPLAY_MS && this.dropOldest());
  }

  /** Nobody will ask for it any more. */
  close(): void {
    this.#closed = true;
    this.#budget.remove(this);
  }

  get #oldestBytes(): number {
    return this.#blocks[this.#start]?.bytes.length ?? 0;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (!this.#closed) this.#budget.count(bytes);
  }

  /** Adds to the last block, if that is a slab with room. */
  #append(bytes: Buffer, frames: number, now: number): boolean {
    const block = this.#blocks.at(-1);
    if (this.#slab === undefined || block === undefined || now - block.begun > SLAB_MS) return false;
    const filled = block.bytes.length;
    if (filled + bytes.length > this.#slab.length) return false;
    bytes.copy(this.#slab, filled);
    block.bytes = this.#slab.subarray(0, filled + bytes.length);
    block.last += frames;
    block.at = now;
    return true;
  }

  /** The oldest frame after `sequence` that is still there, or the next one. */
  startAfter(sequence: number): number {
    const block = this.#blocks[this.#find(sequence)];
    return block === undefined ? this.#next : Math.max(block.first, sequence + 1);
  }

  /** The frames after `sequence` that are still there, in blocks of whole frames. */
  *after(sequence: number): Generator<Buffer> {
    for (let index = this.#find(sequence); index < this.#blocks.length; index += 1) {
      const block = this.#blocks[index] as Block;
      yield block.first > sequence ? block.bytes : block.bytes.subarray(offsetAfter(block.bytes, sequence));
    }
  }

  /** Counts what is not kept any longer. */
  #forget(bytes: Buffer): void {
    for (let offset = 0; offset < bytes.length;) {
      const payload = bytes.readUInt32LE(offset);
      const [kind, flags] = [bytes[offset + 4] as number, bytes[offset + 5] as number];
      const isOutput = kind <= FrameKind.message && (flags & (FrameFlag.last | FrameFlag.late)) === 0;
      if (isOutput) {
        const execution = bytes.readUInt32LE(offset + 8);
        this.#gone.set(execution, (this.#gone.get(execution) ?? 0) + payload);
      }
      offset += HEADER_BYTES + payload;
    }
    while (this.#gone.size > REMEMBERED_EXECUTIONS) this.#gone.delete(this.#gone.keys().next().value as number);
  }

  /** Index of the first block that holds something after `sequence`. */
  #find(sequence: number): number {
    let [low, high] = [this.#start, this.#blocks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#blocks[middle] as Block).last > sequence) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function offsetAfter(bytes: Buffer, sequence: number): number {
  let offset = 0;
  while (offset < bytes.length && readSequence(bytes, offset) <= sequence) {
    offset += frameLength(bytes, offset) as number;
  }
  return offset;
}
