import { closeSync, fchmodSync, writeSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { IpyboxError } from "../errors.ts";
import { type FileFrame, FileFrameKind } from "../protocol/file-frames.ts";
import { type WireEntry, wireEntry } from "../protocol/file-messages.ts";
import type { OnBytes } from "./file-content.ts";
import type { FileOperation } from "./file-operation.ts";
import { joinWire } from "./file-path.ts";
import type { HostDirectory } from "./host-directory.ts";
import { HOST_MODE_BITS, writeAll } from "./host-draft.ts";
import { leadsInside } from "./links.ts";
import { newCounts, skip, type TreeCounts } from "./tree-counts.ts";

/** As many as a worker sends: each is open. */
const MAX_DEPTH = 256;

/** So much is gathered before it is written; a file that is not longer is written at once. */
const BLOCK_BYTES = 256 * 1024;

/** After so long other things have their turn. */
const SLICE_MS = 5;

/** An owner can always get into its own directories, and out of them. */
const OWNER_BITS = 0o700;

interface Level {
  readonly directory: HostDirectory;
  readonly mode: number;
  readonly path: string;
}

/**
 * Takes a tree into an empty directory. Nothing is opened that this has not created: what comes twice, in whatever
 * disguise, is an error of the file system's.
 */
export class TreeDownload {
  readonly #operation: FileOperation;
  readonly #keepOutsideLinks: boolean;
  readonly #onBytes: OnBytes;
  readonly #levels: Level[];
  readonly counts: TreeCounts = newCounts();
  #turnAt: number = performance.now();

  constructor(
    operation: FileOperation,
    root: HostDirectory,
    options: { readonly keepOutsideLinks: boolean; readonly onBytes: OnBytes },
  ) {
    this.#operation = operation;
    this.#keepOutsideLinks = options.keepOutsideLinks;
    this.#onBytes = options.onBytes;
    this.#levels = [{ directory: root, mode: 0, path: "" }];
  }

  /** Resolves when all is there; the reply is read, too. Gives the path that failed, from the root, in what it throws. */
  async run(): Promise<void> {
    try {
      for (;;) {
        const frame = await this.#operation.receive(FileFrameKind.entry, FileFrameKind.reply);
        if (frame.kind === FileFrameKind.reply) break;
        await this.#take(frame);
        if (performance.now() - this.#turnAt < SLICE_MS) continue;
        await nextTurn();
        this.#turnAt = performance.now();
      }
      if (this.#levels.length !== 1) throw violation("a tree without its end");
    } finally {
      for (const { directory } of this.#levels.slice(1)) directory.close();
    }
  }

  async #take(frame: FileFrame): Promise<void> {
    const entry = this.#operation.read(frame, wireEntry);
    const level = this.#levels.at(-1) as Level;
    if (entry.type === "leave") {
      this.#leave(level);
      return;
    }
    const path = joinWire(level.path, entry.name);
    const name = ownName(entry.name);
    switch (entry.type) {
      case "directory":
        this.#enter(level, name, entry.mode, path);
        break;
      case "file":
        await this.#file(level.directory, name, entry);
        break;
      case "symlink":
        this.#symlink(level, name, entry.target, path);
        break;
      case "skipped":
        skip(this.counts, path);
    }
  }

  #enter({ directory }: Level, name: Buffer, mode: number, path: string): void {
    if (this.#levels.length > MAX_DEPTH) throw violation(`a tree of more than ${MAX_DEPTH} levels`);
    directory.createDirectory(name);
    this.#levels.push({ directory: directory.enter(name), mode, path });
    this.counts.directories += 1;
  }

  #leave({ directory, mode }: Level): void {
    if (this.#levels.length === 1) throw violation("a tree that leaves its root");
    this.#levels.pop();
    try {
      directory.setDirectoryMode((mode & HOST_MODE_BITS) | OWNER_BITS);
    } finally {
      directory.close();
    }
  }

  #symlink({ directory }: Level, name: Buffer, target: string, path: string): void {
    if (!this.#keepOutsideLinks && !leadsInside(target, this.#levels.length - 1)) {
      skip(this.counts, path);
      return;
    }
    directory.createLink(name, Buffer.from(target, "latin1"));
    this.counts.symlinks += 1;
  }

  async #file(directory: HostDirectory, name: Buffer, { mode }: Extract<WireEntry, { type: "file" }>): Promise<void> {
    let pieces: Buffer[] = [];
    let bytes = 0;
    let descriptor: number | undefined;
    try {
      for (;;) {
        const { kind, payload } = await this.#operation.receive(FileFrameKind.data, FileFrameKind.end);
        if (kind === FileFrameKind.end) break;
        pieces.push(payload);
        bytes += payload.length;
        if (bytes < BLOCK_BYTES) continue;
        descriptor ??= directory.createFile(name);
        await writeAll(descriptor, pieces);
        this.#count(bytes);
        pieces = [];
        bytes = 0;
      }
      descriptor ??= directory.createFile(name);
      for (const piece of pieces) writeWhole(descriptor, piece);
      fchmodSync(descriptor, mode & HOST_MODE_BITS);
    } finally {
      if (descriptor !== undefined) closeSync(descriptor);
    }
    this.counts.files += 1;
    this.#count(bytes);
  }

  #count(bytes: number): void {
    this.counts.bytes += bytes;
    this.#onBytes(bytes);
  }
}

function writeWhole(descriptor: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length;) offset += writeSync(descriptor, bytes, offset);
}

/** The name of an entry as bytes, which is no path and can't lead out. */
export function ownName(wire: string): Buffer {
  const dangerous = process.platform === "win32" ? /[/\\:\0]/ : /[/\0]/;
  if (wire === "" || wire === "." || wire === ".." || dangerous.test(wire)) {
    throw violation(`an entry with the name ${JSON.stringify(wire)}`);
  }
  return Buffer.from(wire, "latin1");
}

function violation(what: string): IpyboxError {
  return new IpyboxError("protocol_violation", `The file worker sent ${what}. A cell may have tampered with it.`);
}
