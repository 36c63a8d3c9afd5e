/**
 * The wire format between kernel, agent and client; its twin is `python/ipybox_kernel/frames.py`.
 *
 * A frame is a header of 20 bytes, little endian, and a payload:
 *
 *     u32 payload length | u8 kind | u8 flags | u16 zero | u32 execution | u64 sequence
 *
 * Kernels send frames of at most 32 KiB; longer content is split. The agent relays the payload as
 * it is and fills in the sequence, which counts a kernel's frames from 1. A WebSocket message holds
 * one or more whole frames.
 */
export const HEADER_BYTES = 20;

/** The longest frame that a kernel may send. */
export const MAX_KERNEL_FRAME_BYTES: number = 32 * 1024;

/** The longest request that the agent takes, for instance a cell's code. */
export const MAX_REQUEST_BYTES: number = 256 * 1024 * 1024;

export const FrameKind = {
  /** Bytes of a stream. */
  stdout: 1,
  stderr: 2,
  /** A message with Jupyter's name, see `messages.ts`. */
  message: 3,
  /** JSON from the agent about the connection itself; outside of the sequence. */
  control: 4,
  /** JSON from the client. A request with bytes in it is a `message` frame instead. */
  request: 5,
  /** From the zygote to the agent: the kernel's process ended; i32 exit status, or minus the signal. */
  exited: 6,
  /** From the kernel to the agent: requests are taken from now on. */
  ready: 7,
  /** From the zygote to the agent: preloaded packages have changed; a plain zygote must be asked. */
  stale: 8,
  /** From the zygote to the agent, before a line of a cell runs in the process: its u32 id. */
  started: 9,
  /** JSON from the agent about an execution, in its sequence, see `lifecycle.ts`. */
  lifecycle: 10,
  /** From the zygote to the agent: no process could be made; the name of the error, say `EAGAIN`. */
  refused: 12,
  /** From the kernel to the agent: an interrupt came before this execution had begun, or after the one before; it has begun. */
  begun: 13,
  /** A message about calls of host functions, see `calls.ts`. */
  call: 11,
} as const;

export const FrameFlag = {
  /** Written to the file descriptor, not by `sys.stdout`: may end inside of a character. */
  raw: 1,
  /** The next message frame of the same execution continues this one. */
  more: 2,
  /** Printed after the execution's reply. */
  late: 4,
  /** The message that ends the execution, or a part of it: nothing but late output follows. */
  last: 8,
  /** With `last`: the cell has failed. */
  failed: 16,
  /** Continues the message frame of the same execution before. */
  continued: 32,
} as const;

export interface Frame {
  readonly kind: number;
  readonly flags: number;
  readonly execution: number;
  readonly sequence: number;
  readonly payload: Buffer;
}

export function encodeFrame(kind: number, payload: Uint8Array, execution = 0, flags = 0): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame[4] = kind;
  frame[5] = flags;
  frame.writeUInt16LE(0, 6);
  frame.writeUInt32LE(execution, 8);
  writeSequence(frame, 0, 0);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

export function encodeJsonFrame(kind: number, value: unknown, execution = 0, flags = 0): Buffer {
  return encodeFrame(kind, Buffer.from(JSON.stringify(value)), execution, flags);
}

/** Whether nothing but late output of the execution follows. */
export function endsExecution(flags: number): boolean {
  return (flags & (FrameFlag.last | FrameFlag.more)) === FrameFlag.last;
}

/** The bytes of the frame that starts at `offset`; undefined when its header is not complete. */
export function frameLength(bytes: Buffer, offset: number): number | undefined {
  return bytes.length - offset < HEADER_BYTES ? undefined : HEADER_BYTES + bytes.readUInt32LE(offset);
}

export function readFrame(bytes: Buffer, offset: number): Frame {
  return {
    kind: bytes[offset + 4] as number,
    flags: bytes[offset + 5] as number,
    execution: bytes.readUInt32LE(offset + 8),
    sequence: readSequence(bytes, offset),
    payload: bytes.subarray(offset + HEADER_BYTES, offset + HEADER_BYTES + bytes.readUInt32LE(offset)),
  };
}

/** The frames of a block that holds only whole ones; throws a RangeError when it doesn't. */
export function* readFrames(bytes: Buffer): Generator<Frame> {
  for (let offset = 0; offset < bytes.length;) {
    const length = frameLength(bytes, offset);
    if (length === undefined || offset + length > bytes.length) {
      throw new RangeError(`a frame at byte ${offset} of ${bytes.length} is not complete`);
    }
    yield readFrame(bytes, offset);
    offset += length;
  }
}

export function readSequence(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset + 12) + bytes.readUInt32LE(offset + 16) * 2 ** 32;
}

export function writeSequence(bytes: Buffer, offset: number, sequence: number): void {
  bytes.writeUInt32LE(sequence >>> 0, offset + 12);
  bytes.writeUInt32LE(Math.floor(sequence / 2 ** 32), offset + 16);
}
