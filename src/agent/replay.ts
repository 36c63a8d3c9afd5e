import { frameLength, HEADER_BYTES, readSequence } from "../protocol/frame.ts";

/** Bytes and time that output is kept for a client that comes back. */
export const REPLAY_BYTES: number = 16 * 1024 * 1024;
export const REPLAY_MS: number = 10 * 60 * 1000;

interface Block {
  readonly bytes: Buffer;
  readonly first: number;
  readonly last: number;
  /** Bytes of all payloads before this block. */
  readonly position: number;
  readonly at: number;
}

/** A place in a kernel's output: a frame, and the bytes of all payloads before it. */
export interface ReplayStart {
  readonly sequence: number;
  readonly position: number;
}

/** The last frames of a kernel, so that a client whose connection dropped misses nothing. */
export class ReplayBuffer {
  #blocks: Block[] = [];
  #start = 0;
  #bytes = 0;
  #end: ReplayStart = { sequence: 1, position: 0 };

  /** Where the next frame will be. */
  get end(): ReplayStart {
    return this.#end;
  }

  /** Keeps a block of whole frames, whose sequences go on from the last. */
  push(bytes: Buffer, frames: number, now: number = Date.now()): void {
    const { sequence, position } = this.#end;
    this.#blocks.push({ bytes, first: sequence, last: sequence + frames - 1, position, at: now });
    this.#end = { sequence: sequence + frames, position: position + bytes.length - frames * HEADER_BYTES };
    this.#bytes += bytes.length;
    while (this.#start < this.#blocks.length - 1) {
      const oldest = this.#blocks[this.#start] as Block;
      const keep = this.#bytes - oldest.bytes.length < REPLAY_BYTES && now - oldest.at < REPLAY_MS;
      if (keep) break;
      this.#bytes -= oldest.bytes.length;
      this.#start += 1;
    }
    if (this.#start > 1024 && this.#start > this.#blocks.length / 2) {
      this.#blocks = this.#blocks.slice(this.#start);
      this.#start = 0;
    }
  }

  /** The oldest frame after `sequence` that is still there, or the next one. */
  startAfter(sequence: number): ReplayStart {
    const block = this.#blocks[this.#find(sequence)];
    if (block === undefined) return this.#end;
    if (block.first > sequence) return { sequence: block.first, position: block.position };
    const skipped = offsetAfter(block.bytes, sequence);
    const frames = sequence + 1 - block.first;
    return { sequence: sequence + 1, position: block.position + skipped - frames * HEADER_BYTES };
  }

  /** The frames after `sequence` that are still there, in blocks of whole frames. */
  *after(sequence: number): Generator<Buffer> {
    for (let index = this.#find(sequence); index < this.#blocks.length; index += 1) {
      const block = this.#blocks[index] as Block;
      yield block.first > sequence ? block.bytes : block.bytes.subarray(offsetAfter(block.bytes, sequence));
    }
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
