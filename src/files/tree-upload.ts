import { closeSync, fstatSync, read as readCallback, readlinkSync, readSync, type Stats } from "node:fs";
import { promisify } from "node:util";
import { encodeFileFrame, FileFrameKind } from "../protocol/file-frames.ts";
import { type OnBytes, sendContent } from "./file-content.ts";
import { entryFrame, type FileOperation } from "./file-operation.ts";
import type { HostDirectory } from "./host-directory.ts";
import { newCounts, skip, type TreeCounts } from "./tree-counts.ts";

const MAX_DEPTH = 256;
const SMALL_BYTES = 64 * 1024;

/** Small things are sent together, up to so much, or so many. */
const BATCH_BYTES = 128 * 1024;
const BATCH_ENTRIES = 200;

const read: (
  descriptor: number,
  block: Buffer,
  offset: number,
  length: number,
  position: null,
) => Promise<{ bytesRead: number }> = promisify(readCallback);

/** Sends a tree. What is taken away or changed meanwhile is sent as it is found, or not at all; no link is followed. */
export class TreeUpload {
  readonly #operation: FileOperation;
  readonly #onBytes: OnBytes;
  readonly counts: TreeCounts = newCounts();
  readonly #small: Buffer = Buffer.allocUnsafe(SMALL_BYTES);
  #batch: Buffer[] = [];
  #batchBytes = 0;
  #contentBytes = 0;

  constructor(operation: FileOperation, options: { readonly onBytes: OnBytes }) {
    this.#operation = operation;
    this.#onBytes = options.onBytes;
  }

  /** Resolves when all has been sent; the reply is still to come. */
  async run(root: HostDirectory): Promise<void> {
    await this.#sendInner(root, "", 1);
    await this.#flush();
    this.#operation.done();
  }

  async #sendInner(directory: HostDirectory, path: string, depth: number): Promise<void> {
    if (depth > MAX_DEPTH) throw tooDeep();
    for (const name of directory.list()) {
      if (this.#operation.answered) return;
      const wire = name.toString("latin1");
      await this.#send(directory, name, path === "" ? wire : `${path}/${wire}`, depth);
    }
  }

  async #send(directory: HostDirectory, name: Buffer, path: string, depth: number): Promise<void> {
    const stats = directory.stat(name);
    if (stats === undefined) return;
    try {
      if (stats.isDirectory()) await this.#sendDirectory(directory, name, stats, path, depth);
      else if (stats.isFile()) await this.#sendFile(directory, name, path);
      else if (stats.isSymbolicLink()) await this.#sendLink(directory, name);
      else skip(this.counts, path);
    } catch (error) {
      // It was taken away, or something else was put in its place: then its sender has not begun.
      if (!(error instanceof Changed)) throw error;
      if (error.code !== "ENOENT") skip(this.counts, path);
    }
  }

  async #sendDirectory(parent: HostDirectory, name: Buffer, { mode }: Stats, path: string, depth: number): Promise<void> {
    const directory = changing(() => parent.enter(name));
    try {
      await this.#entry({ type: "directory", name: name.toString("latin1"), mode: mode & 0o777 });
      this.counts.directories += 1;
      await this.#sendInner(directory, path, depth + 1);
      await this.#entry({ type: "leave" });
    } finally {
      directory.close();
    }
  }

  async #sendLink(directory: HostDirectory, name: Buffer): Promise<void> {
    const target = changing(() => readlinkSync(directory.pathOf(name), { encoding: "buffer" }));
    await this.#entry({ type: "symlink", name: name.toString("latin1"), target: target.toString("latin1") });
    this.counts.symlinks += 1;
  }

  async #sendFile(directory: HostDirectory, name: Buffer, path: string): Promise<void> {
    const descriptor = changing(() => directory.openFile(name));
    try {
      const stats = fstatSync(descriptor);
      if (!stats.isFile()) {
        skip(this.counts, path);
        return;
      }
      await this.#entry({ type: "file", name: name.toString("latin1"), mode: stats.mode & 0o777, size: stats.size });
      if (stats.size <= SMALL_BYTES) await this.#sendSmall(descriptor);
      else await this.#sendLarge(descriptor);
      this.counts.files += 1;
    } finally {
      closeSync(descriptor);
    }
  }

  /** One that has grown since is cut where it was when it was opened. */
  async #sendSmall(descriptor: number): Promise<void> {
    const content = this.#small;
    let length = 0;
    for (let count = -1; count !== 0 && length < SMALL_BYTES; length += count) {
      count = readSync(descriptor, content, length, SMALL_BYTES - length, null);
    }
    if (length > 0) this.#add(encodeFileFrame(FileFrameKind.data, content.subarray(0, length)));
    this.#contentBytes += length;
    await this.#put(encodeFileFrame(FileFrameKind.end));
  }

  async #sendLarge(descriptor: number): Promise<void> {
    await this.#flush();
    await sendContent(
      this.#operation,
      async (block, offset, length) => (await read(descriptor, block, offset, length, null)).bytesRead,
      (bytes) => this.#count(bytes),
    );
  }

  #entry(entry: unknown): Promise<void> {
    return this.#put(entryFrame(entry));
  }

  #add(frame: Buffer): void {
    this.#batch.push(frame);
    this.#batchBytes += frame.length;
  }

  async #put(frame: Buffer): Promise<void> {
    this.#add(frame);
    if (this.#batchBytes >= BATCH_BYTES || this.#batch.length >= BATCH_ENTRIES) await this.#flush();
  }

  async #flush(): Promise<void> {
    const batch = this.#batch;
    const bytes = this.#contentBytes;
    this.#batch = [];
    this.#batchBytes = this.#contentBytes = 0;
    if (batch.length > 0) await this.#operation.send(Buffer.concat(batch));
    if (bytes > 0) this.#count(bytes);
  }

  #count(bytes: number): void {
    this.counts.bytes += bytes;
    this.#onBytes(bytes);
  }
}

/** Something was removed, or became something else, between two looks at it. */
class Changed extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

function changing<Result>(look: () => Result): Result {
  try {
    return look();
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (["ENOENT", "ENOTDIR", "ELOOP", "EINVAL", "ENXIO"].includes(code)) throw new Changed(code);
    throw error;
  }
}

function tooDeep(): Error {
  return Object.assign(new Error(`it is nested deeper than ${MAX_DEPTH} directories`), { code: "ELOOP" });
}
