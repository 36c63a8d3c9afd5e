import type { FileHandle } from "node:fs/promises";
import { FILE_HEADER_BYTES, FileFrameKind, writeFileHeader } from "../protocol/file-frames.ts";
import { wireInfo, type WireFileInfo } from "../protocol/file-messages.ts";
import type { FileOperation } from "./file-operation.ts";
import { writeAll } from "./host-draft.ts";

const CHUNK_BYTES = 256 * 1024;

const END = Buffer.alloc(FILE_HEADER_BYTES);
writeFileHeader(END, FileFrameKind.end, 0);

/** Told so many more bytes have gone or come. */
export type OnBytes = (bytes: number) => void;

/** Reads up to so many bytes to a place in a block; gives how many it were, 0 at the end. */
export type ReadBlock = (block: Buffer, offset: number, length: number) => Promise<number>;

export function readHandle(handle: FileHandle): ReadBlock {
  return async (block, offset, length) => (await handle.read(block, offset, length, null)).bytesRead;
}

/** Uploads the content of one file, with two blocks in turn: one is filled while the other is sent. */
export async function sendContent(operation: FileOperation, read: ReadBlock, onBytes: OnBytes): Promise<void> {
  const blocks = [0, 1].map(() => Buffer.allocUnsafe(FILE_HEADER_BYTES + CHUNK_BYTES)) as [Buffer, Buffer];
  let sent: Promise<void> = Promise.resolve();
  for (let turn = 0; !operation.answered; turn ^= 1) {
    const block = blocks[turn] as Buffer;
    const length = await read(block, FILE_HEADER_BYTES, CHUNK_BYTES);
    await sent;
    if (length === 0) break;
    writeFileHeader(block, FileFrameKind.data, length);
    sent = operation.send(block.subarray(0, FILE_HEADER_BYTES + length)).then(() => onBytes(length));
    sent.catch(() => undefined); // it is awaited below, unless reading fails before
  }
  await sent;
  await sendEnd(operation);
}

/** Uploads bytes that are there already. */
export async function sendBytes(operation: FileOperation, bytes: Uint8Array, onBytes: OnBytes): Promise<void> {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  for (let start = 0; start < bytes.length && !operation.answered; start += CHUNK_BYTES) {
    const part = bytes.subarray(start, start + CHUNK_BYTES);
    writeFileHeader(header, FileFrameKind.data, part.length);
    await operation.send(Buffer.concat([header, part]));
    onBytes(part.length);
  }
}

export function sendEnd(operation: FileOperation): Promise<void> {
  return operation.send(END);
}

/** What comes before a file's content. */
export async function receiveInfo(operation: FileOperation): Promise<WireFileInfo> {
  return operation.read(await operation.receive(FileFrameKind.info), wireInfo);
}

/** The content of one file, piece by piece as it comes. */
export async function* receiveContent(operation: FileOperation): AsyncGenerator<Buffer> {
  for (;;) {
    const { kind, payload } = await operation.receive(FileFrameKind.data, FileFrameKind.end);
    if (kind === FileFrameKind.end) return;
    yield payload;
  }
}

/** Writes a file's content to a descriptor, some pieces at a time. */
export async function storeContent(operation: FileOperation, descriptor: number, onBytes: OnBytes): Promise<void> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of receiveContent(operation)) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes < CHUNK_BYTES) continue;
    await writeAll(descriptor, pieces);
    onBytes(bytes);
    pieces = [];
    bytes = 0;
  }
  await writeAll(descriptor, pieces);
  onBytes(bytes);
}
