import { request as httpRequest } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { ContainerDiedError, IpyboxError } from "../errors.ts";
import { isRefused } from "../handshake.ts";
import { EventQueue } from "../internal/event-queue.ts";
import { FILES_PROTOCOL } from "../protocol/agent-config.ts";
import { encodeFileFrame, type FileFrame, FileFrameDecoder, FileFrameKind } from "../protocol/file-frames.ts";
import type { AgentTarget } from "../target.ts";

/** So much may wait to be read before the other side has to wait. */
const HIGH_WATER_BYTES = 1024 * 1024;
const LOW_WATER_BYTES = 256 * 1024;

/** What a frame takes beside its payload. */
const FRAME_COST_BYTES = 64;

/** The shorter way is given up when it takes so long. */
const DIRECT_TIMEOUT_MS = 2_000;

/** A connection to one file worker. Frames come in order; who does not read them makes the worker wait. */
export class FileChannel {
  readonly #socket: Duplex;
  readonly #target: AgentTarget;
  readonly #decoder = new FileFrameDecoder();
  readonly #queue = new EventQueue<FileFrame>();
  #paused = false;
  #ended = false;
  #destroyed = false;
  #answered = false;
  /** When something has last come, or gone. */
  #aliveAt: number = performance.now();
  /** Who waits for the other side. */
  #waiting = 0;

  private constructor(socket: Duplex, head: Buffer, target: AgentTarget) {
    this.#socket = socket;
    this.#target = target;
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", () => socket.destroy());
    // The other side says nothing more: what is still to be sent has nobody who takes it.
    socket.on("end", () => socket.destroy());
    socket.on("close", () => this.#end());
    if (head.length > 0) this.#take(head);
  }

  /** Connects at a path of the agent's. Rejects with `connect_failed`, `unauthorized`, `agent_failed`, ContainerDiedError. */
  static async open(target: AgentTarget, path: string, timeoutMs: number, signal?: AbortSignal): Promise<FileChannel> {
    signal?.throwIfAborted();
    const { direct, ...published } = target;
    if (direct === undefined || timeoutMs <= DIRECT_TIMEOUT_MS) return FileChannel.#connect(published, path, timeoutMs, signal);
    try {
      return await FileChannel.#connect({ ...published, ...direct }, path, DIRECT_TIMEOUT_MS, signal);
    } catch (error) {
      if (!(error instanceof IpyboxError && error.code === "connect_failed")) throw error;
      return FileChannel.#connect(published, path, timeoutMs, signal);
    }
  }

  static async #connect(target: AgentTarget, path: string, timeoutMs: number, signal?: AbortSignal): Promise<FileChannel> {
    const host = target.host.replace(/^\[(.*)\]$/, "$1");
    const where = `${target.host}:${target.port}`;
    const request = httpRequest({
      ...{ host, port: target.port, path, agent: false },
      headers: { authorization: `Bearer ${target.token}`, connection: "Upgrade", upgrade: FILES_PROTOCOL },
    });
    const abort = (): void => void request.destroy();
    signal?.addEventListener("abort", abort, { once: true });
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<FileChannel>((resolve, reject) => {
        timer = setTimeout(() => {
          const text = `Nothing on ${where} answered within ${timeoutMs} ms.`;
          reject(new IpyboxError("connect_failed", text, { details: { host, port: target.port, timeoutMs } }));
          request.destroy();
        }, timeoutMs);
        request.on("error", reject);
        request.on("upgrade", (_, socket: Socket, head) => {
          socket.setNoDelay(true);
          resolve(new FileChannel(socket, head, target));
        });
        request.on("response", (response) => {
          response.setEncoding("utf8");
          let text = "";
          response.on("data", (part: string) => (text = (text + part).slice(0, 1000)));
          response.on("close", () => reject(refusal(response.statusCode ?? 0, text, where)));
        });
        request.end();
      });
    } catch (error) {
      request.destroy();
      signal?.throwIfAborted();
      if (error instanceof IpyboxError && error.code !== "connect_failed") throw error;
      const why = await target.whyGone?.();
      if (why !== undefined) throw new ContainerDiedError(why, undefined, { cause: error });
      if (error instanceof IpyboxError) throw error;
      const text = isRefused(error)
        ? `Nothing listens on ${where}. Is the container running?`
        : `The connection to ${where} could not be made.`;
      throw new IpyboxError("connect_failed", text, { cause: error });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Whether nothing can come or go any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the operation has ended on the other side, well or not: what is still sent is not looked at. */
  get answered(): boolean {
    return this.#answered;
  }

  /** Milliseconds in which somebody has waited, nothing has come and nothing was taken. */
  get silentMs(): number {
    return this.#waiting === 0 ? 0 : performance.now() - this.#aliveAt;
  }

  /** Sends a frame, after which more may be sent at once. */
  send(kind: number, payload?: Uint8Array): void {
    this.#answered = false;
    if (!this.#ended) this.#socket.write(encodeFileFrame(kind, payload));
  }

  /** Sends whole frames; resolves when the block may be used again, also when the connection has ended. */
  sendBlock(block: Uint8Array): Promise<void> {
    if (this.#ended) return Promise.resolve();
    this.#beginWait();
    return new Promise((resolve) => {
      this.#socket.write(block, () => {
        this.#waiting -= 1;
        this.#aliveAt = performance.now();
        resolve();
      });
    });
  }

  /** The next frame that is no sign of life. Rejects when the connection has ended. */
  async receive(): Promise<FileFrame> {
    for (;;) {
      this.#beginWait();
      const taken = await this.#queue.take().finally(() => (this.#waiting -= 1));
      if (taken === undefined) throw await this.#lost();
      if (this.#paused && this.#queue.bytes < LOW_WATER_BYTES) {
        this.#paused = false;
        this.#socket.resume();
      }
      if (taken.value.kind !== FileFrameKind.beat) return taken.value;
    }
  }

  /** Whether the process must go on while it is open. */
  hold(held: boolean): void {
    const socket = this.#socket as Partial<Socket>;
    if (held) socket.ref?.();
    else socket.unref?.();
  }

  /** Ends the connection, and with it the worker. What waits is told. */
  destroy(): void {
    this.#destroyed = true;
    this.#socket.destroy();
    this.#end();
  }

  #take(chunk: Buffer): void {
    this.#aliveAt = performance.now();
    try {
      for (const frame of this.#decoder.push(chunk)) {
        this.#queue.push(frame, frame.payload.length + FRAME_COST_BYTES);
        if (frame.kind === FileFrameKind.error || frame.kind === FileFrameKind.reply) this.#answered = true;
      }
    } catch (cause) {
      const reason = new IpyboxError("protocol_violation", "The file worker sent what is no frame.", { cause });
      this.#queue.close({ reason });
      this.#socket.destroy();
    }
    if (this.#queue.bytes > HIGH_WATER_BYTES && !this.#paused) {
      this.#paused = true;
      this.#socket.pause();
    }
  }

  #beginWait(): void {
    if (this.#waiting === 0) this.#aliveAt = performance.now();
    this.#waiting += 1;
  }

  #end(): void {
    this.#ended = true;
    this.#queue.close();
  }

  async #lost(): Promise<Error> {
    const why = this.#destroyed ? undefined : await this.#target.whyGone?.();
    if (why !== undefined) return new ContainerDiedError(why);
    const where = `${this.#target.host}:${this.#target.port}`;
    const text = `The connection to ${where} ended before the operation was done: it was cut, or its process in the container was ended.`;
    return new IpyboxError("connection_lost", text, { details: { host: this.#target.host, port: this.#target.port } });
  }
}

function refusal(status: number, body: string, where: string): IpyboxError {
  const details = { status };
  if (status === 401) {
    return new IpyboxError("unauthorized", `The container on ${where} does not accept the token. Pass container.token.`, {
      details,
    });
  }
  if (status !== 503) {
    const text = `What listens on ${where} has no file operations: was the image made by an older version of ipybox? Build it anew.`;
    return new IpyboxError("connect_failed", text, { details });
  }
  return new IpyboxError("agent_failed", `The container's agent can't work on files: ${messageIn(body)}.`, { details });
}

function messageIn(body: string): string {
  try {
    const { message } = JSON.parse(body) as { message?: unknown };
    return typeof message === "string" ? message : "it gave no reason";
  } catch {
    return "it gave no reason";
  }
}
