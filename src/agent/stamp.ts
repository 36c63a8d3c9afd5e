import { endsExecution, FrameFlag, FrameKind, HEADER_BYTES, writeSequence } from "../protocol/frame.ts";
import type { End } from "./output.ts";

/** Longer ends of executions are not worth keeping twice. */
const MAX_KEPT_END_BYTES = 256 * 1024;

/** What a kernel may send. */
const KERNELS_OWN: ReadonlySet<number> = new Set([FrameKind.stdout, FrameKind.stderr, FrameKind.message, FrameKind.call]);

/** A block of frames that is ready to be published, and whether it ends the current execution. */
interface Stamped {
  readonly frames: number;
  readonly ended: { readonly end: End; readonly failed: boolean } | undefined;
}

/** Fills in what a kernel's process can't know or is not believed: sequences, and whom raw output belongs to. */
export class Stamp {
  /** Raw output between cells belongs to the last one. */
  #last = 0;
  #current: number | undefined;
  /** What has come of the message that ends the current execution. */
  #end: { readonly sequence: number; readonly frames: Buffer[]; bytes: number } | undefined;

  /** From now on this execution runs. */
  begin(execution: number): void {
    this.#current = this.#last = execution;
    this.#end = undefined;
  }

  /** From now on none does. */
  end(): void {
    this.#current = undefined;
    this.#end = undefined;
  }

  /** Stamps a block whose first frame gets `sequence`; undefined when a cell has written to the kernel's own socket. */
  apply(block: Buffer, sequence: number): Stamped | undefined {
    let frames = 0;
    let failed: boolean | undefined;
    for (let offset = 0; offset < block.length;) {
      const [kind, flags] = [block[offset + 4] as number, block[offset + 5] as number];
      const execution = block.readUInt32LE(offset + 8);
      if (!KERNELS_OWN.has(kind)) return undefined;
      if (execution === 0) {
        block.writeUInt32LE(this.#last, offset + 8);
        if (this.#current === undefined || failed !== undefined) block[offset + 5] = flags | FrameFlag.late;
      }
      const length = HEADER_BYTES + block.readUInt32LE(offset);
      writeSequence(block, offset, sequence + frames);
      if (kind === FrameKind.message && (flags & FrameFlag.last) !== 0 && execution === this.#current) {
        this.#keepEnd(block.subarray(offset, offset + length), sequence + frames);
        if (endsExecution(flags)) failed = (flags & FrameFlag.failed) !== 0;
      }
      frames += 1;
      offset += length;
    }
    if (failed === undefined || this.#end === undefined) return { frames, ended: undefined };
    const { bytes, ...end } = this.#end;
    const kept = bytes <= MAX_KEPT_END_BYTES ? Buffer.concat(end.frames) : undefined;
    return { frames, ended: { end: { sequence: end.sequence, frames: kept }, failed } };
  }

  #keepEnd(frame: Buffer, sequence: number): void {
    this.#end ??= { sequence, frames: [], bytes: 0 };
    this.#end.bytes += frame.length;
    if (this.#end.bytes <= MAX_KEPT_END_BYTES) this.#end.frames.push(Buffer.from(frame));
  }
}
