import * as z from "zod";
import { abortSignal, byteCount, parseOptions } from "../parse-options.ts";

/** What every file operation takes. */
export interface FileOptions {
  /** So long the container may give no sign of life, in milliseconds; null for no limit. Default 30,000. */
  readonly timeoutMs?: number | null | undefined;
  /** Ends the operation, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How to read a whole file. */
export interface ReadOptions extends FileOptions {
  /** Gives text; without it, bytes. */
  readonly encoding?: "utf8" | undefined;
  /** A longer file is an error, `EFBIG`. Default 256 MiB. */
  readonly maxBytes?: number | undefined;
}

/** How to write a file. */
export interface WriteOptions extends FileOptions {
  /** Permission bits, for instance 0o755. Default: those of the file that is replaced, 0o664 for a new one. */
  readonly mode?: number | undefined;
}

/** How to list a directory. */
export interface ListOptions extends FileOptions {
  /** Also what is in the directories in it. Links are not followed. Default false. */
  readonly recursive?: boolean | undefined;
  /** More entries are an error, `EOVERFLOW`. Default 100,000. */
  readonly maxEntries?: number | undefined;
}

/** How to look at a file. */
export interface StatOptions extends FileOptions {
  /** Of a link, tells of what it leads to. Default true. */
  readonly followLinks?: boolean | undefined;
}

/** How to remove. */
export interface RemoveOptions extends FileOptions {
  /** Also a directory that is not empty. Default false. */
  readonly recursive?: boolean | undefined;
}

/** How to watch. */
export interface WatchOptions extends FileOptions {
  /** Also the directories in it, and new ones as they come. Default false. */
  readonly recursive?: boolean | undefined;
}

/** How far a transfer is. */
export interface TransferProgress {
  /** Bytes of content that have been transferred. */
  readonly bytes: number;
  /** Bytes that there are, where that is known: of a single file, when the transfer began. */
  readonly totalBytes: number | undefined;
  /** Files that have been transferred. */
  readonly files: number;
}

/** How to upload. */
export interface UploadOptions extends FileOptions {
  /** Called as the transfer goes on. What it throws ends the transfer. */
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
}

/** How to download. */
export interface DownloadOptions extends UploadOptions {
  /** More content is an error, `EFBIG`. Default: no limit. */
  readonly maxBytes?: number | undefined;
}

/** How to download a directory. */
export interface DownloadDirectoryOptions extends DownloadOptions {
  /**
   * Links that lead out of the directory: `"skip"` (default) leaves them out and tells of them in `skipped`, `"keep"` creates them.
   * They are never followed by ipybox itself, but other programs may.
   */
  readonly outsideLinks?: "skip" | "keep" | undefined;
}

const DURATION = "must be a number of milliseconds, 1 or more, or null for no limit";
const common = {
  timeoutMs: z.number({ error: DURATION }).min(1, { error: DURATION }).nullable().optional(),
  signal: abortSignal.optional(),
};
const flag = z.boolean({ error: "must be true or false" }).optional();
const MODE = "must be permission bits from 0 to 0o777";
const mode = z.int({ error: MODE }).min(0, { error: MODE }).max(0o777, { error: MODE }).optional();
const callback = z.custom<(progress: TransferProgress) => void>((value) => typeof value === "function", {
  error: "must be a function",
});
const COUNT = "must be a whole number, 1 or more";
const upload = { ...common, onProgress: callback.optional() };
const download = { ...upload, maxBytes: byteCount(0).optional() };

const SCHEMAS = {
  plain: z.strictObject(common),
  read: z.strictObject({
    ...common,
    encoding: z.literal("utf8", { error: 'must be "utf8"' }).optional(),
    maxBytes: byteCount(0).optional(),
  }),
  write: z.strictObject({ ...common, mode }),
  list: z.strictObject({ ...common, recursive: flag, maxEntries: z.int({ error: COUNT }).min(1, { error: COUNT }).optional() }),
  stat: z.strictObject({ ...common, followLinks: flag }),
  recursive: z.strictObject({ ...common, recursive: flag }),
  upload: z.strictObject(upload),
  download: z.strictObject(download),
  downloadDirectory: z.strictObject({
    ...download,
    outsideLinks: z.enum(["skip", "keep"], { error: 'must be "skip" or "keep"' }).optional(),
  }),
} as const;

/** Which options an operation takes. */
interface OptionsOf {
  readonly plain: FileOptions;
  readonly read: ReadOptions;
  readonly write: WriteOptions;
  readonly list: ListOptions;
  readonly stat: StatOptions;
  readonly recursive: RemoveOptions;
  readonly upload: UploadOptions;
  readonly download: DownloadOptions;
  readonly downloadDirectory: DownloadDirectoryOptions;
}

/** Checks the options of an operation; an unknown or wrong one is an error that names it. */
export function parseFileOptions<Kind extends keyof OptionsOf>(kind: Kind, options: unknown, owner: string): OptionsOf[Kind] {
  return parseOptions(SCHEMAS[kind], options, owner) as OptionsOf[Kind];
}
