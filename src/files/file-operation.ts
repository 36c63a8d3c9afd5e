import type { z } from "zod";
import { FileError, IpyboxError } from "../errors.ts";
import { encodeFileJson, type FileFrame, FileFrameKind } from "../protocol/file-frames.ts";
import { type FileRequest, wireError, wireReply } from "../protocol/file-messages.ts";
import type { FileChannel } from "./file-channel.ts";
import type { FileChannels } from "./file-channels.ts";
import { fromWire } from "./file-path.ts";

/** How an operation is called, and what ends it before its time. */
export interface OperationOptions {
  /** Its name in errors. */
  readonly operation: string;
  /** So long the other side may stay silent; null for no limit. */
  readonly timeoutMs: number | null;
  readonly signal?: AbortSignal | undefined;
}

/** One operation of a file worker, from its request to its reply. Ends with `finish()`, `release()` or `fail()`. */
export class FileOperation {
  readonly name: string;
  readonly #channels: FileChannels;
  readonly #channel: FileChannel;
  readonly #timeoutMs: number | null;
  readonly #signal: AbortSignal | undefined;
  readonly #watch: NodeJS.Timeout | undefined;
  readonly #abort = (): void => this.#channel.destroy();
  /** Whether an upload may still be on its way when the operation fails. */
  readonly #uploads: boolean;
  #refused = false;
  #late = false;
  #ended = false;

  private constructor(channels: FileChannels, channel: FileChannel, uploads: boolean, options: OperationOptions) {
    const { operation, timeoutMs, signal } = options;
    this.name = operation;
    this.#uploads = uploads;
    this.#channels = channels;
    this.#channel = channel;
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#abort, { once: true });
    if (timeoutMs === null) return;
    this.#watch = setInterval(() => this.#look(timeoutMs), Math.max(1, Math.min(1_000, timeoutMs / 4))).unref();
  }

  static async begin(channels: FileChannels, request: FileRequest, options: OperationOptions): Promise<FileOperation> {
    const { signal } = options;
    signal?.throwIfAborted();
    const channel = await channels.take({ watches: request.op === "watch", signal });
    const operation = new FileOperation(channels, channel, request.op === "write" || request.op === "unpack", options);
    if (signal?.aborted === true) throw operation.fail(signal.reason);
    channel.send(FileFrameKind.request, Buffer.from(JSON.stringify(request)));
    return operation;
  }

  /** Does an operation; what `work` throws ends it. */
  static async run<Result>(
    channels: FileChannels,
    request: FileRequest,
    options: OperationOptions,
    work: (operation: FileOperation) => Promise<Result>,
  ): Promise<Result> {
    const operation = await FileOperation.begin(channels, request, options);
    try {
      const result = await work(operation);
      await operation.finish();
      return result;
    } catch (error) {
      throw operation.fail(error);
    }
  }

  /** Whether the worker has failed, or is done: what is still sent to it is not looked at. */
  get answered(): boolean {
    return this.#channel.answered || this.#channel.ended;
  }

  /** Sends frames; resolves when the block may be used again. */
  send(block: Uint8Array): Promise<void> {
    return this.#channel.sendBlock(block);
  }

  /** Nothing more is uploaded. */
  done(): void {
    this.#channel.send(FileFrameKind.done);
  }

  /** The next frame, of one of these kinds; what the worker says in an error frame is thrown. */
  async receive(...kinds: readonly number[]): Promise<FileFrame> {
    const frame = await this.#channel.receive();
    this.#signal?.throwIfAborted();
    if (kinds.includes(frame.kind)) return frame;
    if (frame.kind !== FileFrameKind.error) throw violation(`a frame of kind ${frame.kind} where ${kinds.join(" or ")} was due`);
    this.#refused = true;
    const { code, message, path } = this.read(frame, wireError);
    throw new FileError(code, message, { operation: this.name, side: "sandbox", ...fromWire(path) });
  }

  /** The JSON of a frame, checked. */
  read<Value>(frame: FileFrame, schema: z.ZodType<Value>): Value {
    try {
      return schema.parse(JSON.parse(frame.payload.toString()));
    } catch (cause) {
      throw violation(`a frame of kind ${frame.kind} that can't be read`, cause);
    }
  }

  /** Waits for the reply. */
  async finish(): Promise<void> {
    if (this.#ended) return;
    this.read(await this.receive(FileFrameKind.reply), wireReply);
    this.release();
  }

  /** The reply has been received: the connection may serve others. */
  release(): void {
    this.#end();
    this.#channels.give(this.#channel);
  }

  /** Ends the operation before it is done; gives what is to be thrown. */
  fail(error: unknown): unknown {
    if (!this.#ended) {
      this.#end();
      if (!this.#refused || this.#uploads || !(error instanceof FileError)) this.#channel.destroy();
      this.#channels.give(this.#channel);
    }
    if (this.#signal?.aborted === true) return this.#signal.reason;
    if (this.#late) {
      const text = `${this.name}: the container has given no sign of life for ${this.#timeoutMs} ms (timeoutMs).`;
      return new IpyboxError("connection_lost", text, { details: { operation: this.name, timeoutMs: this.#timeoutMs } });
    }
    return this.#channels.closed ?? error;
  }

  #look(timeoutMs: number): void {
    if (this.#channel.silentMs < timeoutMs) return;
    this.#late = true;
    this.#channel.destroy();
  }

  #end(): void {
    this.#ended = true;
    clearInterval(this.#watch);
    this.#signal?.removeEventListener("abort", this.#abort);
  }
}

/** An entry of a tree, or anything else, on its way up. */
export const entryFrame = (value: unknown): Buffer => encodeFileJson(FileFrameKind.entry, value);

function violation(what: string, cause?: unknown): IpyboxError {
  return new IpyboxError("protocol_violation", `The file worker sent ${what}. A cell may have tampered with it.`, { cause });
}
