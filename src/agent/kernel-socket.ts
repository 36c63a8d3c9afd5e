import { type Frame, FrameKind, frameLength, HEADER_BYTES, MAX_KERNEL_FRAME_BYTES, readFrame } from "../protocol/frame.ts";

/** How a kernel's process ended: its status, or minus the number of the signal that ended it. */
export type ExitStatus = number;

/** Of what a block holds: frames for the client, or what is meant for the agent itself. */
type Part =
  | Buffer
  | { readonly kind: "started"; readonly pid: number }
  | { readonly kind: "ready" }
  | { readonly kind: "begun"; readonly execution: number }
  | { readonly kind: "exited"; readonly status: ExitStatus }
  | { readonly kind: "refused"; readonly errno: string }
  | { readonly kind: "stale" };

const AGENTS_OWN: ReadonlySet<number> = new Set([
  FrameKind.started,
  FrameKind.ready,
  FrameKind.begun,
  FrameKind.exited,
  FrameKind.refused,
  FrameKind.stale,
]);

/** Divides a block of whole frames. */
export function* partition(block: Buffer): Generator<Part> {
  let start = 0;
  for (let offset = 0; offset < block.length;) {
    const end = offset + HEADER_BYTES + block.readUInt32LE(offset);
    if (AGENTS_OWN.has(block[offset + 4] as number)) {
      if (offset > start) yield block.subarray(start, offset);
      yield ownPart(readFrame(block, offset));
      start = end;
    }
    offset = end;
  }
  if (start < block.length) yield block.subarray(start);
}

function ownPart({ kind, execution, payload }: Frame): Exclude<Part, Buffer> {
  switch (kind) {
    case FrameKind.started:
      return { kind: "started", pid: payload.readUInt32LE(0) };
    case FrameKind.ready:
      return { kind: "ready" };
    case FrameKind.begun:
      return { kind: "begun", execution };
    case FrameKind.exited:
      return { kind: "exited", status: payload.readInt32LE(0) };
    case FrameKind.refused:
      return { kind: "refused", errno: payload.toString() };
    default:
      return { kind: "stale" };
  }
}

/** Cuts a byte stream into blocks of whole frames. */
export class FrameSplitter {
  readonly #onBlock: (block: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(onBlock: (block: Buffer) => void) {
    this.#onBlock = onBlock;
  }

  /** Throws when a frame is longer than a kernel's may be: what follows can't be told apart. */
  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let end = 0;
    for (;;) {
      const length = frameLength(bytes, end);
      if (length === undefined) break;
      if (length > MAX_KERNEL_FRAME_BYTES) throw new Error(`a kernel sent a frame of ${length} bytes`);
      if (end + length > bytes.length) break;
      end += length;
    }
    this.#rest = bytes.subarray(end);
    if (end > 0) this.#onBlock(bytes.subarray(0, end));
  }
}
