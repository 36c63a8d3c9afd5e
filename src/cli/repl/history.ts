import { appendFile, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { homeDirectory } from "../../internal/home-directory.ts";
import { log } from "../print.ts";

/** So many lines are offered. */
export const HISTORY_LINES = 1_000;

/** This user's file with the lines that were typed. */
export function historyPath(env: NodeJS.ProcessEnv = process.env): string {
  return join(env["XDG_STATE_HOME"] || join(homeDirectory(), ".local/state"), "ipybox/history");
}

/** The lines that this user has typed, in this session and those before. Without its file, those of this session. */
export class History {
  /** The lines of the sessions before. */
  readonly newestFirst: readonly string[];
  /** Resolves when all lines are in the file. */
  saved: Promise<void> = Promise.resolve();
  #path: string | undefined;

  private constructor(path: string | undefined, newestFirst: readonly string[]) {
    this.#path = path;
    this.newestFirst = newestFirst;
  }

  static async open(path: string = historyPath()): Promise<History> {
    try {
      return new History(path, (await read(path)).toReversed());
    } catch (error) {
      tellLost(error);
      return new History(undefined, []);
    }
  }

  add(line: string): void {
    if (line.trim() === "") return;
    this.saved = this.saved.then(async () => {
      if (this.#path === undefined) return;
      // Nobody else may read it: it may hold a secret.
      await appendFile(this.#path, `${line}\n`, { mode: 0o600 }).catch((error: unknown) => {
        this.#path = undefined;
        tellLost(error);
      });
    });
  }
}

/** Reads the file, and makes it short again when it has grown long. */
async function read(path: string): Promise<readonly string[]> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  const all = text.split("\n").filter((line) => line !== "");
  const lines = all.slice(-HISTORY_LINES);
  if (all.length > 2 * HISTORY_LINES) {
    const draft = `${path}.${process.pid}`;
    await writeFile(draft, `${lines.join("\n")}\n`, { mode: 0o600 });
    await rename(draft, path);
  }
  return lines;
}

function tellLost(error: unknown): void {
  log(`What you type is not kept for the next session: ${(error as Error).message}`);
}
