import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { FileError, IpyboxError } from "../errors.ts";
import type { FileChannels } from "./file-channels.ts";
import { readHandle, receiveInfo, sendContent, storeContent } from "./file-content.ts";
import { FileOperation, type OperationOptions } from "./file-operation.ts";
import type { TransferProgress } from "./file-options.ts";
import { fromWire, type NamedPath } from "./file-path.ts";
import { HostDirectory } from "./host-directory.ts";
import { HOST_MODE_BITS, HostDraft, HostTreeDraft } from "./host-draft.ts";
import type { TreeCounts } from "./tree-counts.ts";
import { TreeDownload } from "./tree-download.ts";
import { TreeUpload } from "./tree-upload.ts";

/** What a transfer has transferred. */
export interface TransferSummary {
  /** Bytes of content. */
  readonly bytes: number;
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
  /**
   * What was left out, by its path from the directory: devices, pipes, sockets, and links that lead outside. At most 1,000 are named.
   */
  readonly skipped: readonly NamedPath[];
  readonly skippedCount: number;
}

/** From where to where. */
interface Ends {
  readonly localPath: string;
  /** As it is sent. */
  readonly path: string;
}

interface TransferOptions extends OperationOptions {
  readonly onProgress: ((progress: TransferProgress) => void) | undefined;
  readonly maxBytes?: number | undefined;
}

export async function uploadFile(
  channels: FileChannels,
  { localPath, path }: Ends,
  options: TransferOptions,
): Promise<TransferSummary> {
  const owner = options.operation;
  checkLocalPath(localPath, owner);
  const failed = hostFailure(owner, localPath);
  // A pipe that nobody writes to must not hold it up.
  const handle = await open(localPath, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch(failed);
  try {
    const stats = await handle.stat();
    if (stats.isDirectory())
      throw new FileError("EISDIR", "it is a directory", { operation: owner, path: localPath, side: "host" });
    if (!stats.isFile())
      throw new FileError("EINVAL", "it is no regular file", { operation: owner, path: localPath, side: "host" });
    const counter = new Counter(path, options, stats.size);
    const request = { op: "write", path, mode: stats.mode & HOST_MODE_BITS } as const;
    await FileOperation.run(channels, request, options, async (operation) => {
      const read = readHandle(handle);
      await sendContent(operation, (...block) => read(...block).catch(failed), counter.add);
      operation.done();
    });
    return counter.ofOneFile();
  } finally {
    await handle.close();
  }
}

export async function downloadFile(
  channels: FileChannels,
  { localPath, path }: Ends,
  options: TransferOptions,
): Promise<TransferSummary> {
  checkLocalPath(localPath, options.operation);
  const failed = hostFailure(options.operation, localPath);
  return FileOperation.run(channels, { op: "read", path }, options, async (operation) => {
    const { size, mode } = await receiveInfo(operation);
    const counter = new Counter(path, options, size);
    try {
      const draft = new HostDraft(localPath);
      try {
        await storeContent(operation, draft.descriptor, counter.add);
        await operation.finish();
        draft.publish(mode);
      } finally {
        draft.close();
      }
    } catch (error) {
      return failed(error);
    }
    return counter.ofOneFile();
  });
}

export async function uploadDirectory(
  channels: FileChannels,
  { localPath, path }: Ends,
  options: TransferOptions,
): Promise<TransferSummary> {
  checkLocalPath(localPath, options.operation);
  const failed = hostFailure(options.operation, localPath);
  let root: HostDirectory;
  try {
    root = HostDirectory.open(localPath);
  } catch (error) {
    return failed(error);
  }
  try {
    return await FileOperation.run(channels, { op: "unpack", path }, options, async (operation) => {
      const counter = new Counter(path, options, undefined);
      const upload = new TreeUpload(operation, { onBytes: (bytes) => counter.add(bytes, upload.counts.files) });
      await upload.run(root).catch(failed);
      return summaryOf(upload.counts);
    });
  } finally {
    root.close();
  }
}

export async function downloadDirectory(
  channels: FileChannels,
  { localPath, path }: Ends,
  options: TransferOptions & { readonly keepOutsideLinks: boolean },
): Promise<TransferSummary> {
  checkLocalPath(localPath, options.operation);
  const { keepOutsideLinks } = options;
  const operation = await FileOperation.begin(channels, { op: "pack", path }, options);
  try {
    const counter = new Counter(path, options, undefined);
    const draft = new HostTreeDraft(localPath);
    try {
      const onBytes = (bytes: number): void => counter.add(bytes, download.counts.files);
      const download: TreeDownload = new TreeDownload(operation, draft.root, { keepOutsideLinks, onBytes });
      await download.run();
      operation.release();
      draft.publish();
      return summaryOf(download.counts);
    } finally {
      draft.close();
    }
  } catch (error) {
    throw operation.fail(asHostFailure(error, options.operation, localPath));
  }
}

/** Counts bytes, tells of them, and stops at the limit. */
class Counter {
  readonly #options: TransferOptions;
  readonly #totalBytes: number | undefined;
  readonly #path: NamedPath;
  #bytes = 0;

  constructor(path: string, options: TransferOptions, totalBytes: number | undefined) {
    this.#path = fromWire(path);
    this.#options = options;
    this.#totalBytes = totalBytes;
  }

  readonly add = (bytes: number, files = 0): void => {
    this.#bytes += bytes;
    const { maxBytes = Number.POSITIVE_INFINITY, operation, onProgress } = this.#options;
    if (this.#bytes > maxBytes) {
      throw new FileError("EFBIG", `there is more than maxBytes (${maxBytes})`, { operation, side: "sandbox", ...this.#path });
    }
    onProgress?.({ bytes: this.#bytes, totalBytes: this.#totalBytes, files });
  };

  ofOneFile(): TransferSummary {
    return { bytes: this.#bytes, files: 1, directories: 0, symlinks: 0, skipped: [], skippedCount: 0 };
  }
}

function summaryOf({ skipped, ...counts }: TreeCounts): TransferSummary {
  return { ...counts, skipped: skipped.map(fromWire) };
}

function checkLocalPath(localPath: unknown, owner: string): void {
  if (typeof localPath === "string" && localPath !== "" && !localPath.includes("\0")) return;
  const text = `${owner}: localPath must be a string that is not empty and has no NUL character.`;
  throw new IpyboxError("invalid_option", text, { details: { field: "localPath" } });
}

function hostFailure(operation: string, localPath: string): (error: unknown) => never {
  return (error) => {
    throw asHostFailure(error, operation, localPath);
  };
}

/** What the host's own system says about a file becomes a FileError. */
function asHostFailure(error: unknown, operation: string, localPath: string): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  const isSystems =
    error instanceof Error && !(error instanceof IpyboxError) && typeof code === "string" && /^E[A-Z0-9]+$/.test(code);
  if (!isSystems) return error;
  // Paths below a descriptor say nothing to anybody.
  const reason = error.message.replace(/^E[A-Z0-9]+: /, "").replace(/, \w+ '.*$/s, "");
  return new FileError(code, syscall === undefined ? reason : `${reason}, ${syscall}`, {
    ...{ operation, path: localPath, side: "host", cause: error },
  });
}
