import type { IpyboxError } from "../errors.ts";
import { FILE_WATCH_PATH, FILES_PATH } from "../protocol/agent-config.ts";
import type { AgentTarget } from "../target.ts";
import { FileChannel } from "./file-channel.ts";

/** Connections that are kept for the next operation: so many, and so long. */
const MAX_IDLE = 8;
const IDLE_MS = 5_000;

interface Idle {
  readonly channel: FileChannel;
  readonly timer: NodeJS.Timeout;
}

/** The connections of one container's or client's file operations. Each operation has one for itself. */
export class FileChannels {
  readonly #target: AgentTarget;
  readonly #connectTimeoutMs: number;
  readonly #idle: Idle[] = [];
  readonly #used = new Set<FileChannel>();
  #closed: IpyboxError | undefined;

  constructor(target: AgentTarget, connectTimeoutMs: number) {
    this.#target = target;
    this.#connectTimeoutMs = connectTimeoutMs;
  }

  /** Why no operation can go on; undefined when they can. */
  get closed(): IpyboxError | undefined {
    return this.#closed;
  }

  /** A connection that nobody else uses, until `give()`. */
  async take(options: { readonly watches: boolean; readonly signal?: AbortSignal | undefined }): Promise<FileChannel> {
    if (this.#closed !== undefined) throw this.#closed;
    const channel = (options.watches ? undefined : this.#takeIdle()) ?? (await this.#open(options));
    if (this.#closed !== undefined) {
      channel.destroy();
      throw this.#closed;
    }
    this.#used.add(channel);
    return channel;
  }

  /** Gives a connection back after an operation; one that has failed must be destroyed. */
  give(channel: FileChannel): void {
    this.#used.delete(channel);
    if (channel.ended) return;
    if (this.#closed !== undefined || this.#idle.length >= MAX_IDLE) {
      channel.destroy();
      return;
    }
    channel.hold(false);
    const timer = setTimeout(() => {
      this.#idle.splice(this.#idle.indexOf(idle), 1);
      channel.destroy();
    }, IDLE_MS).unref();
    const idle = { channel, timer };
    this.#idle.push(idle);
  }

  /** Ends all operations, which reject with the reason. */
  close(reason: IpyboxError): void {
    this.#closed ??= reason;
    for (const { channel, timer } of this.#idle.splice(0)) {
      clearTimeout(timer);
      channel.destroy();
    }
    for (const channel of this.#used) channel.destroy();
  }

  #open({ watches, signal }: { readonly watches: boolean; readonly signal?: AbortSignal | undefined }): Promise<FileChannel> {
    return FileChannel.open(this.#target, watches ? FILE_WATCH_PATH : FILES_PATH, this.#connectTimeoutMs, signal);
  }

  #takeIdle(): FileChannel | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      clearTimeout(idle.timer);
      if (idle.channel.ended) continue;
      idle.channel.hold(true);
      return idle.channel;
    }
    return undefined;
  }
}
