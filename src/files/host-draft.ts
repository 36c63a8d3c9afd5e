import { randomBytes } from "node:crypto";
import { closeSync, fchmodSync, mkdirSync, writev as writevCallback } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { promisify } from "node:util";
import { HostDirectory, removeTree } from "./host-directory.ts";

const writev: (descriptor: number, pieces: readonly NodeJS.ArrayBufferView[]) => Promise<{ bytesWritten: number }> =
  promisify(writevCallback);

/** Linux takes 1,024 in one call. */
const MAX_PIECES = 512;

/** Set-id and sticky bits mean nothing good on the host. */
export const HOST_MODE_BITS = 0o777;

/** Writes all pieces, one after the other, in as few calls as that takes. */
export async function writeAll(descriptor: number, pieces: readonly Buffer[]): Promise<void> {
  for (let left = pieces; left.length > 0;) {
    const { bytesWritten } = await writev(descriptor, left.slice(0, MAX_PIECES));
    left = withoutFirst(left, bytesWritten);
  }
}

function withoutFirst(pieces: readonly Buffer[], bytes: number): readonly Buffer[] {
  let left = bytes;
  const whole = pieces.findIndex((piece) => {
    if (piece.length > left) return true;
    left -= piece.length;
    return false;
  });
  if (whole < 0) return [];
  const [first, ...rest] = pieces.slice(whole) as [Buffer, ...Buffer[]];
  return [first.subarray(left), ...rest];
}

/** A file of the host that gets its name only when it is complete. Its directory is created if there is none. */
export class HostDraft {
  readonly descriptor: number;
  readonly #directory: HostDirectory;
  readonly #name: Buffer;
  readonly #draftName: Buffer = freshName();
  #published = false;

  constructor(path: string) {
    const whole = resolve(path);
    this.#name = Buffer.from(basename(whole));
    mkdirSync(dirname(whole), { recursive: true });
    this.#directory = HostDirectory.open(dirname(whole));
    try {
      if (this.#directory.stat(this.#name)?.isDirectory() === true) throw isDirectory(path);
      this.descriptor = this.#directory.createFile(this.#draftName);
    } catch (error) {
      this.#directory.close();
      throw error;
    }
  }

  /** Gives the file its name, in place of a file or link that has it. */
  publish(mode: number): void {
    fchmodSync(this.descriptor, mode & HOST_MODE_BITS);
    this.#directory.rename(this.#draftName, this.#directory, this.#name);
    this.#published = true;
  }

  /** To be called in any case. Leaves nothing of what was not published. */
  close(): void {
    closeSync(this.descriptor);
    try {
      if (!this.#published && this.#directory.stat(this.#draftName) !== undefined) this.#directory.unlink(this.#draftName);
    } finally {
      this.#directory.close();
    }
  }
}

/** A directory of the host that gets its place only when it is complete. */
export class HostTreeDraft {
  /** What is to become the directory. */
  readonly root: HostDirectory;
  readonly #path: string;
  /** The target itself when it is there already, else its parent. */
  readonly #place: HostDirectory;
  readonly #merges: boolean;
  readonly #draftName: Buffer = freshName();
  #published = false;

  constructor(path: string) {
    this.#path = resolve(path);
    mkdirSync(dirname(this.#path), { recursive: true });
    const existing = openExisting(this.#path);
    this.#merges = existing !== undefined;
    this.#place = existing ?? HostDirectory.open(dirname(this.#path));
    try {
      this.#place.createDirectory(this.#draftName);
      this.root = this.#place.enter(this.#draftName);
    } catch (error) {
      this.#place.close();
      throw error;
    }
  }

  /** Moves the directory, or all that is in it, to its place. */
  publish(): void {
    if (!this.#merges) {
      this.#place.rename(this.#draftName, this.#place, Buffer.from(basename(this.#path)));
      this.#published = true;
      return;
    }
    checkMerge(this.root, this.#place);
    merge(this.root, this.#place);
  }

  /** To be called in any case. Leaves nothing of what was not published. */
  close(): void {
    this.root.close();
    try {
      if (!this.#published) removeTree(this.#place, this.#draftName);
    } finally {
      this.#place.close();
    }
  }
}

function openExisting(path: string): HostDirectory | undefined {
  try {
    return HostDirectory.open(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Throws when something can't take the place of what is there, before anything is moved. */
function checkMerge(source: HostDirectory, target: HostDirectory): void {
  for (const name of source.list()) {
    const there = target.stat(name);
    const isTree = source.stat(name)?.isDirectory() === true;
    if (there === undefined || there.isSymbolicLink()) continue;
    if (isTree !== there.isDirectory()) throw isTree ? notDirectory(name) : isDirectory(name.toString());
    if (isTree) within(source, target, name, checkMerge);
  }
}

/** Links that are in the way are replaced, never followed. */
function merge(source: HostDirectory, target: HostDirectory): void {
  for (const name of source.list()) {
    const there = target.stat(name);
    const from = source.stat(name);
    if (from?.isDirectory() === true && there?.isDirectory() === true) {
      within(source, target, name, (from_, to) => {
        merge(from_, to);
        to.setDirectoryMode(from.mode & HOST_MODE_BITS);
      });
      source.removeDirectory(name);
      continue;
    }
    if (from?.isDirectory() === true && there !== undefined) target.unlink(name);
    source.rename(name, target, name);
  }
}

function within(
  source: HostDirectory,
  target: HostDirectory,
  name: Buffer,
  act: (source: HostDirectory, target: HostDirectory) => void,
): void {
  const from = source.enter(name);
  try {
    const to = target.enter(name);
    try {
      act(from, to);
    } finally {
      to.close();
    }
  } finally {
    from.close();
  }
}

function freshName(): Buffer {
  return Buffer.from(`.ipybox-${randomBytes(8).toString("hex")}`);
}

function isDirectory(path: string): Error {
  return Object.assign(new Error(`${JSON.stringify(path)} is a directory`), { code: "EISDIR" });
}

function notDirectory(name: Buffer): Error {
  return Object.assign(new Error(`${JSON.stringify(name.toString())} is no directory`), { code: "ENOTDIR" });
}
