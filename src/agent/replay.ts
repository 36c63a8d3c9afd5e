import { frameLength, readSequence } from "../protocol/frame.ts";

/** Bytes and time that output is kept for a client that comes back. */
export const REPLAY_BYTES: number = 16 * 1024 * 1024;
export const REPLAY_MS: number = 10 * 60 * 1000;

interface Block {
  readonly bytes: Buffer;
  readonly first: number;
  readonly last: number;
  readonly at: number;
}

/** The last frames of a kernel, so that a client whose connection dropped misses nothing. */
export class ReplayBuffer {
  #blocks: Block[] = [];
  #start = 0;
  #bytes = 0;

  /** Keeps a block of whole frames with the sequences `first` to `last`. */
  push(bytes: Buffer, first: number, last: number, now: number = Date.now()): void {
    this.#blocks.push({ bytes, first, last, at: now });
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

  /** The frames after `sequence` that are still there, in blocks of whole frames. */
  *after(sequence: number): Generator<Buffer> {
    for (let index = this.#start; index < this.#blocks.length; index += 1) {
      const block = this.#blocks[index] as Block;
      if (block.last <= sequence) continue;
      yield block.first > sequence ? block.bytes : cut(block.bytes, sequence);
    }
  }

  /** The sequence of the oldest frame kept; undefined when there is none. */
  get oldest(): number | undefined {
    return this.#blocks[this.#start]?.first;
  }
}

function cut(bytes: Buffer, sequence: number): Buffer {
  let offset = 0;
  while (offset < bytes.length && readSequence(bytes, offset) <= sequence) {
    offset += frameLength(bytes, offset) as number;
  }
  return bytes.subarray(offset);
}
