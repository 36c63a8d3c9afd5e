import { IpyboxError } from "../errors.ts";
import { FileFrameKind } from "../protocol/file-frames.ts";
import { type WireEvent, wireEvents, wireWatch } from "../protocol/file-messages.ts";
import type { FileChannels } from "./file-channels.ts";
import { FileOperation, type OperationOptions } from "./file-operation.ts";
import { fromWire, joinWire, type NamedPath } from "./file-path.ts";

/** What has happened to a file. `path` begins with what was given to `watch()`. */
export interface FileEvent extends NamedPath {
  /**
   * `changed`: its content. `renamed`: it was `from`. `removed`: also what was moved out of sight.
   * `overflow`: more has happened than could be kept; look at the directory anew.
   */
  readonly type: "created" | "changed" | "removed" | "renamed" | "overflow";
  /** The path before, when it was renamed. */
  readonly from: NamedPath | undefined;
}

/**
 * The events of a file or directory, from the moment when `ready` resolves. A loop over it ends when what is watched is gone,
 * and when it is closed. A slow loop makes the events wait in the sandbox, where a bounded number of them is kept.
 *
 * ```ts
 * await using watch = client.files.watch("results");
 * for await (const { type, path } of watch) console.log(type, path);
 * ```
 */
export class FileWatch implements AsyncIterable<FileEvent> {
  /** Resolves when it has begun: what happens from then on is told. */
  readonly ready: Promise<void>;
  /** Where the paths of events start, as it is sent. */
  #root = "";
  readonly #closing = new AbortController();
  readonly #operation: Promise<FileOperation>;
  #read = false;

  /** `path` is as it is sent. */
  constructor(channels: FileChannels, path: string, options: OperationOptions & { readonly recursive: boolean }) {
    const { recursive, signal, ...rest } = options;
    const signals = [this.#closing.signal, ...(signal === undefined ? [] : [signal])];
    this.#operation = FileOperation.begin(
      channels,
      { op: "watch", path, recursive },
      { ...rest, signal: AbortSignal.any(signals) },
    ).then(async (operation) => {
      try {
        this.#root = operation.read(await operation.receive(FileFrameKind.info), wireWatch).root;
        return operation;
      } catch (error) {
        throw operation.fail(error);
      }
    });
    this.ready = this.#operation.then(() => undefined);
    this.ready.catch(() => undefined); // who reads the events is told, too
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FileEvent> {
    if (this.#read)
      throw new IpyboxError("invalid_state", "watch: the events are read already. Watch a second time for a second loop.");
    this.#read = true;
    try {
      const operation = await this.#operation;
      try {
        for (;;) {
          const frame = await operation.receive(FileFrameKind.events, FileFrameKind.reply);
          if (frame.kind === FileFrameKind.reply) return;
          for (const event of operation.read(frame, wireEvents)) yield this.#event(event);
        }
      } catch (error) {
        throw operation.fail(error);
      }
    } catch (error) {
      if (error !== CLOSED) throw error;
    } finally {
      await this.close();
    }
  }

  /** Ends it. A loop over it ends, too. */
  async close(): Promise<void> {
    this.#closing.abort(CLOSED);
    const operation = await this.#operation.catch(() => undefined);
    operation?.fail(CLOSED);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #event({ type, path, from }: WireEvent): FileEvent {
    const whole = (inner: string): NamedPath => fromWire(joinWire(this.#root, inner));
    return { type, ...whole(path), from: from === undefined ? undefined : whole(from) };
  }
}

/** Why a watch ends that was closed. */
const CLOSED: unique symbol = Symbol("closed");
