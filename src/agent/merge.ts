import { FrameKind, HEADER_BYTES } from "../protocol/frame.ts";

/** In less than this each write stays apart: only who writes faster than it is carried has several in so long a block. */
const MIN_BYTES = 8 * 1024;

/**
 * Puts neighbouring texts of a stream into one frame, in place: a frame costs agent and client as much as thousands of bytes.
 * Takes a block of whole frames that have no sequence yet. What it gives holds no more memory than its own bytes.
 */
export function mergeStreams(block: Buffer): Buffer {
  if (block.length < MIN_BYTES) return block;
  let last = 0;
  let end = frameEnd(block, 0);
  for (let offset = end; offset < block.length;) {
    const next = frameEnd(block, offset);
    if (isStream(block, offset) && hasSameHeader(block, last, offset)) {
      block.copyWithin(end, offset + HEADER_BYTES, next);
      end += next - offset - HEADER_BYTES;
      block.writeUInt32LE(end - last - HEADER_BYTES, last);
    } else {
      if (end < offset) block.copyWithin(end, offset, next);
      last = end;
      end += next - offset;
    }
    offset = next;
  }
  return end === block.length ? block : Buffer.from(block.subarray(0, end));
}

function frameEnd(block: Buffer, offset: number): number {
  return offset + HEADER_BYTES + block.readUInt32LE(offset);
}

function isStream(block: Buffer, offset: number): boolean {
  const kind = block[offset + 4];
  return kind === FrameKind.stdout || kind === FrameKind.stderr;
}

/** Whether two frames have the same kind, flags and execution. */
function hasSameHeader(block: Buffer, one: number, other: number): boolean {
  return (
    block.readUInt32LE(one + 4) === block.readUInt32LE(other + 4) && block.readUInt32LE(one + 8) === block.readUInt32LE(other + 8)
  );
}
