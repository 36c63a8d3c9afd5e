import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { log } from "../print.ts";
import type { Picture } from "./picture.ts";

const ENDINGS: Readonly<Record<string, string>> = {
  "image/png": "png",
  "image/jpeg": "jpg",
  "image/webp": "webp",
  "image/gif": "gif",
  "image/svg+xml": "svg",
};

/** Saves pictures as `plot-1.png` and so on, and never over a file that was there before. */
export class PlotFiles {
  readonly #directory: string;
  #number = 1;
  /** Files of displays that may be updated. */
  readonly #paths = new Map<string, string>();

  /** Whether one could not be saved. */
  failed = false;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** As `save`, but a failure is only told, and gives no path: the cell goes on. */
  async trySave(picture: Picture, displayId?: string): Promise<string | undefined> {
    try {
      return await this.save(picture, displayId);
    } catch (error) {
      this.failed = true;
      log(`error: A plot can't be saved: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** Saves a picture and gives its path. One with the id of an earlier one is that one's new state. */
  async save(picture: Picture, displayId?: string): Promise<string> {
    const ending = ENDINGS[picture.mimeType] ?? "bin";
    const key = displayId === undefined ? undefined : `${displayId}.${ending}`;
    const earlier = key === undefined ? undefined : this.#paths.get(key);
    if (earlier !== undefined) {
      await writeFile(earlier, picture.data);
      return earlier;
    }
    await mkdir(this.#directory, { recursive: true });
    const path = await this.#saveNew(picture, ending);
    if (key !== undefined) this.#paths.set(key, path);
    return path;
  }

  async #saveNew(picture: Picture, ending: string): Promise<string> {
    for (;;) {
      const path = join(this.#directory, `plot-${this.#number++}.${ending}`);
      try {
        await writeFile(path, picture.data, { flag: "wx" });
        return path;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
    }
  }
}
