import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  opendirSync,
  openSync,
  renameSync,
  rmdirSync,
  type Stats,
  symlinkSync,
  unlinkSync,
} from "node:fs";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

const NAMES_AT_ONCE = 256;

/** Linux shows a process its open directories as paths. */
const DESCRIPTORS = "/proc/self/fd";
const hasDescriptors = existsSync(DESCRIPTORS);

/**
 * A directory of the host. Where Linux's /proc is, it is held open, and what is done with its entries is done in it even
 * when somebody moves it or puts a link in its place meanwhile. Nothing here follows a link that is an entry.
 */
export class HostDirectory {
  readonly #descriptor: number | undefined;
  readonly #prefix: Buffer;

  private constructor(path: Buffer, flags: number) {
    if (!hasDescriptors) {
      this.#prefix = Buffer.concat([path, Buffer.from("/")]);
      return;
    }
    this.#descriptor = openSync(path, O_RDONLY | O_DIRECTORY | flags);
    this.#prefix = Buffer.from(`${DESCRIPTORS}/${this.#descriptor}/`);
  }

  /** Opens a directory that the caller has named: links on the way to it are followed. */
  static open(path: string): HostDirectory {
    return new HostDirectory(Buffer.from(path), 0);
  }

  /** Opens a directory in this one; a link is none. */
  enter(name: Buffer): HostDirectory {
    const path = this.pathOf(name);
    if (!hasDescriptors && !lstatSync(path).isDirectory()) throw notDirectory(name);
    return new HostDirectory(path, O_NOFOLLOW);
  }

  /** What to give to functions of `node:fs` that follow no link at a path's end. */
  pathOf(name: Buffer): Buffer {
    return Buffer.concat([this.#prefix, name]);
  }

  /** Names of what is in it. What has been named may be removed or moved meanwhile. */
  *list(): Generator<Buffer> {
    const entries = opendirSync(this.#prefix, { encoding: "buffer" as BufferEncoding, bufferSize: NAMES_AT_ONCE });
    try {
      for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) yield entry.name as unknown as Buffer;
    } finally {
      entries.closeSync();
    }
  }

  stat(name: Buffer): Stats | undefined {
    return lstatSync(this.pathOf(name), { throwIfNoEntry: false });
  }

  /** Creates a file; an error when there is anything of that name. */
  createFile(name: Buffer): number {
    return openSync(this.pathOf(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  }

  /** Opens a file for reading; a pipe holds nobody up. */
  openFile(name: Buffer): number {
    return openSync(this.pathOf(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  }

  createDirectory(name: Buffer): void {
    mkdirSync(this.pathOf(name));
  }

  createLink(name: Buffer, target: Buffer): void {
    symlinkSync(target, this.pathOf(name));
  }

  /** Only for what is known to be a directory: else a link would be followed. */
  setDirectoryMode(mode: number): void {
    chmodSync(this.#prefix, mode);
  }

  rename(name: Buffer, target: HostDirectory, targetName: Buffer): void {
    renameSync(this.pathOf(name), target.pathOf(targetName));
  }

  unlink(name: Buffer): void {
    unlinkSync(this.pathOf(name));
  }

  removeDirectory(name: Buffer): void {
    rmdirSync(this.pathOf(name));
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
  }
}

/** Removes a directory with all that is in it. */
export function removeTree(parent: HostDirectory, name: Buffer): void {
  const directory = parent.enter(name);
  try {
    for (const inner of directory.list()) {
      if (directory.stat(inner)?.isDirectory() === true) removeTree(directory, inner);
      else directory.unlink(inner);
    }
  } finally {
    directory.close();
  }
  parent.removeDirectory(name);
}

function notDirectory(name: Buffer): Error {
  return Object.assign(new Error(`ENOTDIR: not a directory, ${JSON.stringify(name.toString())}`), { code: "ENOTDIR" });
}
