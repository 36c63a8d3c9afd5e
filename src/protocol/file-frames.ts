/**
 * The wire format between SDK and file worker; its twin is `python/ipybox_kernel/files/channel.py`.
 *
 * A frame is a u32 with the length of its payload, little endian, a u8 with its kind, and the payload:
 *
 *     operation:  request, what is uploaded and done (if anything is), what is downloaded, reply or error
 *     content:    data*, end
 *     tree:       entry*, with the content of a file behind its entry
 *
 * The agent relays the bytes without looking at them.
 */
export const FILE_HEADER_BYTES = 5;

/** The longest payload. */
export const MAX_FILE_PAYLOAD_BYTES: number = 1024 * 1024;

export const FileFrameKind = {
  /** JSON, see `FileRequest`. */
  request: 1,
  /** Bytes of a file. */
  data: 2,
  /** Nothing more of this content. */
  end: 3,
  /** JSON: the operation is done. */
  reply: 4,
  /** JSON: the operation has failed. */
  error: 5,
  /** JSON about one file. */
  info: 6,
  /** JSON about a part of a tree. */
  entry: 7,
  /** JSON: a part of a list. */
  entries: 8,
  /** JSON: what has happened to watched files. */
  events: 9,
  /** A sign of life. */
  beat: 10,
  /** The upload is complete. */
  done: 11,
} as const;

const KINDS: ReadonlySet<number> = new Set(Object.values(FileFrameKind));

/** A whole frame, or of `data` a piece as it has come. */
export interface FileFrame {
  readonly kind: number;
  readonly payload: Buffer;
}

/** Header and payload in one. */
export function encodeFileFrame(kind: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const frame = Buffer.allocUnsafe(FILE_HEADER_BYTES + payload.length);
  writeFileHeader(frame, kind, payload.length);
  frame.set(payload, FILE_HEADER_BYTES);
  return frame;
}

export function encodeFileJson(kind: number, value: unknown): Buffer {
  return encodeFileFrame(kind, Buffer.from(JSON.stringify(value)));
}

/** For content that is already behind the header's place. */
export function writeFileHeader(frame: Buffer, kind: number, length: number): void {
  frame.writeUInt32LE(length, 0);
  frame[4] = kind;
}

/** Cuts a byte stream into frames. Content is handed on as it comes, never gathered. */
export class FileFrameDecoder {
  readonly #header: Buffer = Buffer.alloc(FILE_HEADER_BYTES);
  #headerBytes = 0;
  /** What is still to come of the frame that has begun. */
  #left = 0;
  /** What has come of it, when it came in pieces that are not handed on. */
  #gathered: Buffer | undefined;

  /** Throws a RangeError at what can't be a frame; nothing can be read after it. */
  *push(chunk: Buffer): Generator<FileFrame> {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#headerBytes < FILE_HEADER_BYTES) {
        offset += this.#takeHeader(chunk, offset);
        if (this.#headerBytes < FILE_HEADER_BYTES) return;
        this.#begin();
      }
      const kind = this.#header[4] as number;
      const piece = chunk.subarray(offset, offset + this.#left);
      offset += piece.length;
      this.#left -= piece.length;
      const payload = kind === FileFrameKind.data ? piece : this.#gather(piece);
      if (this.#left === 0) this.#headerBytes = 0;
      if (payload !== undefined && (payload.length > 0 || kind !== FileFrameKind.data)) yield { kind, payload };
    }
  }

  /** The whole payload, once it is there. */
  #gather(piece: Buffer): Buffer | undefined {
    if (this.#left === 0 && this.#gathered === undefined) return piece;
    this.#gathered ??= Buffer.allocUnsafe(piece.length + this.#left);
    piece.copy(this.#gathered, this.#gathered.length - this.#left - piece.length);
    if (this.#left > 0) return undefined;
    const whole = this.#gathered;
    this.#gathered = undefined;
    return whole;
  }

  #takeHeader(chunk: Buffer, offset: number): number {
    const length = Math.min(FILE_HEADER_BYTES - this.#headerBytes, chunk.length - offset);
    chunk.copy(this.#header, this.#headerBytes, offset, offset + length);
    this.#headerBytes += length;
    return length;
  }

  #begin(): void {
    const kind = this.#header[4] as number;
    this.#left = this.#header.readUInt32LE(0);
    if (!KINDS.has(kind)) throw new RangeError(`there are no frames of kind ${kind}`);
    if (this.#left > MAX_FILE_PAYLOAD_BYTES) throw new RangeError(`a frame of ${this.#left} bytes is too long`);
  }
}
