import { constants, existsSync } from "node:fs";
import { open, readlink, realpath, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve, sep } from "node:path";
import { IpyboxError } from "../errors.ts";

/** Linux shows a process its open files as paths. */
const DESCRIPTORS = "/proc/self/fd";
const hasDescriptors = existsSync(DESCRIPTORS);

/** A directory, as the operator has named it and as it is. */
interface Root {
  readonly given: string;
  readonly real: string;
}

/**
 * The directories of the host that files may be copied from and to. What counts is where a path leads, links followed. What was
 * checked is held open, and that is what is read or written: whoever changes a link meanwhile gains nothing (on Linux; elsewhere
 * the path is checked just before it is used).
 */
export class AllowedDirectories {
  readonly #roots: readonly Root[];

  private constructor(roots: readonly Root[]) {
    this.#roots = roots;
  }

  /** @throws IpyboxError `invalid_option` when one of them is no directory. */
  static async open(paths: readonly string[]): Promise<AllowedDirectories> {
    const roots = paths.map(async (path): Promise<Root> => {
      const real = await realpath(path).catch(() => undefined);
      if (real === undefined || !(await stat(real)).isDirectory()) {
        throw new IpyboxError("invalid_option", `--allowed-dir must be a directory. Given was ${JSON.stringify(path)}.`, {
          details: { field: "allowedDirectories", given: path },
        });
      }
      return { given: resolve(path), real };
    });
    return new AllowedDirectories(await Promise.all(roots));
  }

  get isEmpty(): boolean {
    return this.#roots.length === 0;
  }

  /** The directories, for a model to know. */
  describe(): string {
    return this.#roots.map(({ given }) => given).join(", ");
  }

  /** Gives `read` a path to the file that `path` leads to. */
  async reading<T>(path: string, read: (safePath: string) => Promise<T>): Promise<T> {
    const real = await this.#real(path, path);
    // A pipe that nobody writes to must not hold it up.
    const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
    return this.#holding(path, real, flags, (held) => read(held));
  }

  /** Gives `write` a path to the file of that name, in a directory that is there already. */
  async writing<T>(path: string, write: (safePath: string) => Promise<T>): Promise<T> {
    const name = basename(path);
    if (name === "" || name === "." || name === "..") throw this.#refused(path);
    const real = await this.#real(path, dirname(path));
    return this.#holding(path, real, constants.O_RDONLY | (constants.O_DIRECTORY ?? 0), (held) => write(join(held, name)));
  }

  /** Where `target` leads, if `path` may be used. Of what is elsewhere not even its absence is told. */
  async #real(path: string, target: string): Promise<string> {
    if (path.includes("\0") || !isAbsolute(path)) throw this.#refused(path);
    const isNamed = this.#roots.some(({ given, real }) => [given, real].some((root) => isWithin(root, resolve(path))));
    if (!isNamed) throw this.#refused(path);
    const real = await realpath(target).catch((error: unknown) => {
      throw failure(path, error);
    });
    this.#check(path, real);
    return real;
  }

  #check(path: string, real: string): void {
    if (!this.#roots.some((root) => isWithin(root.real, real))) throw this.#refused(path);
  }

  async #holding<T>(path: string, real: string, flags: number, use: (held: string) => Promise<T>): Promise<T> {
    const handle = await open(real, flags).catch((error: unknown) => {
      throw failure(path, error);
    });
    const held = hasDescriptors ? `${DESCRIPTORS}/${handle.fd}` : real;
    try {
      if (hasDescriptors) this.#check(path, await readlink(held));
      return await use(held);
    } catch (error) {
      throw named(error, held, path);
    } finally {
      await handle.close();
    }
  }

  #refused(path: string): IpyboxError {
    const allowed = this.isEmpty ? "No directory is allowed." : `Pass an absolute path of a file in one of: ${this.describe()}.`;
    return new IpyboxError("invalid_option", `${JSON.stringify(path)} is outside of the allowed directories. ${allowed}`);
  }
}

function isWithin(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : `${root}${sep}`);
}

/** An error of the system, without the path that it has followed. */
function failure(path: string, error: unknown): IpyboxError {
  const { code = "failed" } = error as NodeJS.ErrnoException;
  return new IpyboxError("invalid_option", `${JSON.stringify(path)} can't be used: ${code}.`, { cause: error });
}

/** Who has passed a path wants to read that one. */
function named(error: unknown, held: string, path: string): unknown {
  if (!(error instanceof Error) || held === path || !error.message.includes(held)) return error;
  return new Error(error.message.replaceAll(join(held, basename(path)), path).replaceAll(held, path), { cause: error });
}
