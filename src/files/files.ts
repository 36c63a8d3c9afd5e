import { FileError } from "../errors.ts";
import { DEFAULTS } from "../options.ts";
import { FileFrameKind } from "../protocol/file-frames.ts";
import { type FileRequest, wireEntries, wireInfo } from "../protocol/file-messages.ts";
import type { FileChannels } from "./file-channels.ts";
import { receiveContent, receiveInfo, sendBytes, sendEnd } from "./file-content.ts";
import { type FileEntry, type FileInfo, readInfo } from "./file-info.ts";
import { FileOperation, type OperationOptions } from "./file-operation.ts";
import type {
  DownloadDirectoryOptions,
  DownloadOptions,
  FileOptions,
  ListOptions,
  ReadOptions,
  RemoveOptions,
  StatOptions,
  UploadOptions,
  WatchOptions,
  WriteOptions,
} from "./file-options.ts";
import { parseFileOptions } from "./file-options.ts";
import { type FilePath, fromWire, joinWire, toWire } from "./file-path.ts";
import { readStream, writeStream } from "./file-streams.ts";
import { FileWatch } from "./file-watch.ts";
import { downloadDirectory, downloadFile, type TransferSummary, uploadDirectory, uploadFile } from "./transfer.ts";

/** What can be written: text, bytes, or pieces of either as they come, for instance a ReadableStream. */
export type FileData = string | Uint8Array | AsyncIterable<string | Uint8Array>;

/**
 * The files of a sandbox, `container.files` or `client.files`. All is done with the rights of cells: what a cell may not
 * read or write, can't be read or written here either. Relative paths start at `/app`, where cells run.
 *
 * What can't be done rejects with a FileError, whose `code` is Linux's: `ENOENT`, `EACCES`, `EISDIR`, `ENOSPC`, …
 * Other errors are those of `execute`: ContainerDiedError, IpyboxError `connection_lost`, `agent_failed`, `invalid_option`.
 */
export class Files {
  readonly #channels: FileChannels;

  /** Made by containers and clients. */
  constructor(channels: FileChannels) {
    this.#channels = channels;
  }

  /** The content of a file as text. */
  read(path: FilePath, options: ReadOptions & { readonly encoding: "utf8" }): Promise<string>;
  /** The content of a file. One that is longer than `maxBytes` rejects with `EFBIG`: take `readStream()` or `downloadFile()`. */
  read(path: FilePath, options?: ReadOptions & { readonly encoding?: undefined }): Promise<Uint8Array>;
  async read(path: FilePath, options: ReadOptions = {}): Promise<string | Uint8Array> {
    const { encoding, maxBytes = DEFAULTS.maxReadBytes, ...rest } = parseFileOptions("read", options, "read");
    const request = { op: "read", path: toWire(path, "read") } as const;
    const bytes = await this.#run(request, "read", rest, async (operation) => {
      await receiveInfo(operation);
      const pieces: Buffer[] = [];
      let length = 0;
      for await (const piece of receiveContent(operation)) {
        length += piece.length;
        if (length > maxBytes) throw tooLong("read", request.path, maxBytes);
        pieces.push(piece);
      }
      return Buffer.concat(pieces);
    });
    return encoding === undefined ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : bytes.toString("utf8");
  }

  /**
   * Writes a file, and the directories to it where they are missing. The file appears, or changes, when all of it is there:
   * when writing fails, nothing has changed. Through a link, what it leads to is written.
   */
  async write(path: FilePath, data: FileData, options: WriteOptions = {}): Promise<void> {
    const { mode, ...rest } = parseFileOptions("write", options, "write");
    const request = { op: "write", path: toWire(path, "write"), mode } as const;
    await this.#run(request, "write", rest, async (operation) => {
      for await (const piece of pieces(data)) {
        if (operation.answered) break;
        await sendBytes(operation, typeof piece === "string" ? Buffer.from(piece) : piece, () => undefined);
      }
      await sendEnd(operation);
      operation.done();
    });
  }

  /** The content of a file as it comes. A reader that does not read makes the file wait in the sandbox. */
  readStream(path: FilePath, options: FileOptions = {}): ReadableStream<Uint8Array> {
    const parsed = parseFileOptions("plain", options, "readStream");
    return readStream(this.#channels, toWire(path, "readStream"), complete(parsed, "readStream"));
  }

  /** Writes a file piece by piece. It appears when the stream is closed; until then, and when it is aborted, nothing has changed. */
  writeStream(path: FilePath, options: WriteOptions = {}): WritableStream<Uint8Array> {
    const { mode, ...rest } = parseFileOptions("write", options, "writeStream");
    return writeStream(this.#channels, { path: toWire(path, "writeStream"), mode }, complete(rest, "writeStream"));
  }

  /** What is in a directory, in no particular order. */
  async list(path: FilePath, options: ListOptions = {}): Promise<FileEntry[]> {
    const { recursive = false, maxEntries = DEFAULTS.maxListEntries, ...rest } = parseFileOptions("list", options, "list");
    const directory = toWire(path, "list");
    const operation = await this.#begin({ op: "list", path: directory, recursive }, "list", rest);
    try {
      const found: FileEntry[] = [];
      for (;;) {
        const frame = await operation.receive(FileFrameKind.entries, FileFrameKind.reply);
        if (frame.kind === FileFrameKind.reply) break;
        for (const entry of operation.read(frame, wireEntries)) {
          found.push({ ...readInfo(fromWire(joinWire(directory, entry.path)), entry), name: fromWire(entry.path).path });
        }
        if (found.length > maxEntries) throw tooMany(directory, maxEntries);
      }
      operation.release();
      return found;
    } catch (error) {
      throw operation.fail(error);
    }
  }

  /** What is known of a file. */
  async stat(path: FilePath, options: StatOptions = {}): Promise<FileInfo> {
    const { followLinks = true, ...rest } = parseFileOptions("stat", options, "stat");
    return this.#stat(toWire(path, "stat"), "stat", followLinks, rest);
  }

  /** Whether there is anything of that name; a link counts by itself, wherever it leads. */
  async exists(path: FilePath, options: FileOptions = {}): Promise<boolean> {
    const parsed = parseFileOptions("plain", options, "exists");
    try {
      await this.#stat(toWire(path, "exists"), "exists", false, parsed);
      return true;
    } catch (error) {
      if (error instanceof FileError && (error.code === "ENOENT" || error.code === "ENOTDIR")) return false;
      throw error;
    }
  }

  /** Makes a directory, and those to it. One that is there already is no error. */
  async mkdir(path: FilePath, options: WriteOptions = {}): Promise<void> {
    const { mode, ...rest } = parseFileOptions("write", options, "mkdir");
    await this.#do({ op: "mkdir", path: toWire(path, "mkdir"), mode }, "mkdir", rest);
  }

  /** Gives a file or directory another name, in place of a file that has it. Makes the directories to it. */
  async rename(path: FilePath, newPath: FilePath, options: FileOptions = {}): Promise<void> {
    const parsed = parseFileOptions("plain", options, "rename");
    await this.#do({ op: "rename", path: toWire(path, "rename"), to: toWire(newPath, "rename") }, "rename", parsed);
  }

  /** Removes a file, a link, or an empty directory; with `recursive` also one that is not. */
  async remove(path: FilePath, options: RemoveOptions = {}): Promise<void> {
    const { recursive = false, ...rest } = parseFileOptions("recursive", options, "remove");
    await this.#do({ op: "remove", path: toWire(path, "remove"), recursive }, "remove", rest);
  }

  /** Removes a file or a link; a directory is an error. */
  async deleteFile(path: FilePath, options: FileOptions = {}): Promise<void> {
    const parsed = parseFileOptions("plain", options, "deleteFile");
    const wire = toWire(path, "deleteFile");
    const { type } = await this.#stat(wire, "deleteFile", false, parsed);
    if (type === "directory") throw isDirectory(wire);
    await this.#do({ op: "remove", path: wire, recursive: false }, "deleteFile", parsed);
  }

  /** Tells what happens to a file, or in a directory. It begins at once; await `ready` before what is to be seen. */
  watch(path: FilePath, options: WatchOptions = {}): FileWatch {
    const { recursive = false, ...rest } = parseFileOptions("recursive", options, "watch");
    return new FileWatch(this.#channels, toWire(path, "watch"), { ...complete(rest, "watch"), recursive });
  }

  /** Uploads a file of the host, with its permission bits. It appears in the sandbox when all of it is there. */
  uploadFile(localPath: string, path: FilePath, options: UploadOptions = {}): Promise<TransferSummary> {
    const { onProgress, ...rest } = parseFileOptions("upload", options, "uploadFile");
    const target = { localPath, path: toWire(path, "uploadFile") };
    return uploadFile(this.#channels, target, { ...complete(rest, "uploadFile"), onProgress });
  }

  /**
   * Downloads a file to the host, with its permission bits but without set-id and sticky ones. It appears, in place of a file or
   * link of that name, when all of it is there.
   */
  downloadFile(path: FilePath, localPath: string, options: DownloadOptions = {}): Promise<TransferSummary> {
    const { onProgress, maxBytes, ...rest } = parseFileOptions("download", options, "downloadFile");
    const target = { localPath, path: toWire(path, "downloadFile") };
    return downloadFile(this.#channels, target, { ...complete(rest, "downloadFile"), onProgress, maxBytes });
  }

  /**
   * Uploads all that is in a directory of the host to a directory in the sandbox, which is created if it is missing; what has the
   * same name is replaced. Links stay links. Each file appears when all of it is there.
   */
  uploadDirectory(localPath: string, path: FilePath, options: UploadOptions = {}): Promise<TransferSummary> {
    const { onProgress, ...rest } = parseFileOptions("upload", options, "uploadDirectory");
    const target = { localPath, path: toWire(path, "uploadDirectory") };
    return uploadDirectory(this.#channels, target, { ...complete(rest, "uploadDirectory"), onProgress });
  }

  /**
   * Downloads all that is in a directory to a directory of the host, which is created if it is missing; files and links of the same
   * name are replaced. Nothing appears before all is there. Links stay links; see `outsideLinks` for those that lead elsewhere.
   */
  downloadDirectory(path: FilePath, localPath: string, options: DownloadDirectoryOptions = {}): Promise<TransferSummary> {
    const { onProgress, maxBytes, outsideLinks, ...rest } = parseFileOptions("downloadDirectory", options, "downloadDirectory");
    const target = { localPath, path: toWire(path, "downloadDirectory") };
    const keepOutsideLinks = outsideLinks === "keep";
    return downloadDirectory(this.#channels, target, {
      ...complete(rest, "downloadDirectory"),
      ...{ onProgress, maxBytes, keepOutsideLinks },
    });
  }

  async #stat(path: string, owner: string, follow: boolean, options: FileOptions): Promise<FileInfo> {
    // The reply itself is what is asked for.
    const operation = await this.#begin({ op: "stat", path, follow }, owner, options);
    try {
      const info = operation.read(await operation.receive(FileFrameKind.reply), wireInfo);
      operation.release();
      return readInfo(fromWire(path), info);
    } catch (error) {
      throw operation.fail(error);
    }
  }

  async #do(request: FileRequest, owner: string, options: FileOptions): Promise<void> {
    await this.#run(request, owner, options, () => Promise.resolve());
  }

  #begin(request: FileRequest, owner: string, options: FileOptions): Promise<FileOperation> {
    return FileOperation.begin(this.#channels, request, complete(options, owner));
  }

  #run<Result>(
    request: FileRequest,
    owner: string,
    options: FileOptions,
    work: (operation: FileOperation) => Promise<Result>,
  ): Promise<Result> {
    return FileOperation.run(this.#channels, request, complete(options, owner), work);
  }
}

function complete({ timeoutMs = DEFAULTS.fileTimeoutMs, signal }: FileOptions, operation: string): OperationOptions {
  return { operation, timeoutMs, signal };
}

async function* pieces(data: FileData): AsyncGenerator<string | Uint8Array> {
  if (typeof data === "string" || data instanceof Uint8Array) yield data;
  else yield* data;
}

function tooLong(operation: string, path: string, maxBytes: number): FileError {
  const reason = `it is longer than maxBytes (${maxBytes})`;
  return new FileError("EFBIG", reason, { operation, side: "sandbox", ...fromWire(path) });
}

function tooMany(path: string, maxEntries: number): FileError {
  const reason = `it has more entries than maxEntries (${maxEntries})`;
  return new FileError("EOVERFLOW", reason, { operation: "list", side: "sandbox", ...fromWire(path) });
}

function isDirectory(path: string): FileError {
  const reason = "it is a directory; remove() removes those, too";
  return new FileError("EISDIR", reason, { operation: "deleteFile", side: "sandbox", ...fromWire(path) });
}
