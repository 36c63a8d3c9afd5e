import { setTimeout as delay } from "node:timers/promises";
import WebSocket from "ws";
import { IpyboxError } from "./errors.ts";
import { KERNELS_PATH } from "./protocol/agent-config.ts";
import { encodeJsonFrame, type Frame, FrameKind, readFrames } from "./protocol/frame.ts";
import type { Control, Request } from "./protocol/requests.ts";

/** A connection on which nothing came for so long is asked for a sign of life, and given up. */
const PING_AFTER_MS = 3_000;
const GIVE_UP_AFTER_MS = 8_000;

/** How long a connection that dropped is tried again. */
const RECONNECT_MS = 20_000;
const RETRY_DELAYS_MS = [0, 50, 100, 200, 400, 800] as const;

/** A port that refuses connections for so long belongs to a container that is gone. */
const REFUSED_MS = 1_500;

/** Where a kernel is. */
export interface LinkTarget {
  readonly host: string;
  readonly port: number;
  readonly token: string;
  readonly kernelId: string;
}

export interface LinkEvents {
  /** A frame of the kernel's sequence, each once and in order. */
  onFrame(frame: Frame): void;
  /** `bytes` is how much the agent could not keep while the connection was down. */
  onReconnected(lost: boolean): void;
  /** The connection is gone for good. */
  onLost(error: IpyboxError): void;
}

/** A client's connection to its kernel: it comes back when it drops, and goes on where it was. */
export class Link {
  readonly #target: LinkTarget;
  readonly #events: LinkEvents;
  #socket: WebSocket | undefined;
  #sequence = 0;
  #paused = false;
  #closed = false;
  #lastSign = 0;
  #heartbeat: NodeJS.Timeout | undefined;

  private constructor(target: LinkTarget, events: LinkEvents) {
    this.#target = target;
    this.#events = events;
  }

  /** Connects, and creates the kernel when there is none with this id. */
  static async open(target: LinkTarget, events: LinkEvents, timeoutMs: number, signal?: AbortSignal): Promise<Link> {
    const link = new Link(target, events);
    await link.#connect({ create: true, timeoutMs, signal });
    link.#heartbeat = setInterval(() => link.#beat(), 1_000).unref();
    return link;
  }

  send(request: Request): void {
    this.#socket?.send(encodeJsonFrame(FrameKind.request, request));
  }

  /** Leaves output where it is, so that the kernel has to wait. */
  pause(paused: boolean): void {
    this.#paused = paused;
    this.#lastSign = performance.now();
    if (paused) this.#socket?.pause();
    else this.#socket?.resume();
  }

  /** Says good-bye: the kernel is removed. Resolves when the agent has closed the connection, or after 2 s. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#heartbeat);
    const socket = this.#socket;
    if (socket === undefined || socket.readyState !== WebSocket.OPEN) return;
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.send(encodeJsonFrame(FrameKind.request, { type: "shutdown_request" }));
    socket.resume();
    const deadline = new AbortController();
    await Promise.race([closed, delay(2_000, undefined, { signal: deadline.signal }).catch(() => undefined)]);
    deadline.abort();
    socket.terminate();
  }

  async #connect(options: { create: boolean; timeoutMs: number; signal?: AbortSignal | undefined }): Promise<boolean> {
    const { host, port, token, kernelId } = this.#target;
    const query = new URLSearchParams({ after: String(this.#sequence), ...(options.create ? { create: "true" } : {}) });
    const address = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
    const socket = new WebSocket(`ws://${address}:${port}${KERNELS_PATH}${kernelId}?${query.toString()}`, {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      skipUTF8Validation: true,
      maxPayload: 2 ** 31,
      handshakeTimeout: options.timeoutMs,
    });
    const ready = await handshake(socket, this.#target, options.timeoutMs, options.signal);
    if (this.#closed) {
      socket.terminate();
      return false;
    }
    this.#socket = socket;
    this.#lastSign = performance.now();
    socket.on("message", (data) => this.#receive(data as Buffer));
    socket.on("pong", () => (this.#lastSign = performance.now()));
    socket.on("close", () => void this.#reconnect());
    if (this.#paused) socket.pause();
    else socket.resume();
    return ready.nextSequence > this.#sequence + 1;
  }

  #receive(data: Buffer): void {
    this.#lastSign = performance.now();
    try {
      for (const frame of readFrames(data)) {
        if (frame.kind === FrameKind.control) {
          this.#control(JSON.parse(frame.payload.toString()) as Control);
        } else if (frame.sequence > this.#sequence) {
          this.#sequence = frame.sequence;
          this.#events.onFrame(frame);
        }
      }
    } catch (cause) {
      this.#lose(new IpyboxError("protocol_violation", "The agent sent what is no frame.", { cause }));
    }
  }

  #control(control: Control): void {
    if (control.type !== "closed") return;
    const code = control.code === "kernel_not_found" ? "kernel_not_found" : "protocol_violation";
    this.#lose(new IpyboxError(code, `The agent closed the connection: ${control.message}.`));
  }

  async #reconnect(): Promise<void> {
    if (this.#closed) return;
    this.#socket = undefined;
    const startedAt = performance.now();
    let refusedAt: number | undefined;
    for (let attempt = 0; ; attempt += 1) {
      await delay(RETRY_DELAYS_MS[Math.min(attempt, RETRY_DELAYS_MS.length - 1)], undefined, { ref: false });
      if (this.#closed) return;
      try {
        const lost = await this.#connect({ create: false, timeoutMs: 5_000 });
        this.#events.onReconnected(lost);
        return;
      } catch (error) {
        const now = performance.now();
        refusedAt = isRefused(error) ? (refusedAt ?? now) : undefined;
        const final = error instanceof IpyboxError && ["unauthorized", "kernel_not_found"].includes(error.code);
        const gone = refusedAt !== undefined && now - refusedAt > REFUSED_MS;
        if (final || gone || now - startedAt > RECONNECT_MS) {
          this.#lose(gone ? refused(this.#target, error) : (error as IpyboxError));
          return;
        }
      }
    }
  }

  #beat(): void {
    const socket = this.#socket;
    // While output is held back, nothing can come, and that says nothing.
    if (socket === undefined || this.#paused) return;
    const silence = performance.now() - this.#lastSign;
    if (silence > GIVE_UP_AFTER_MS) socket.terminate();
    else if (silence > PING_AFTER_MS) socket.ping();
  }

  #lose(error: IpyboxError): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#heartbeat);
    this.#socket?.terminate();
    this.#events.onLost(error);
  }
}

/** Waits until the agent says that it takes requests; nothing is read beyond that. */
async function handshake(
  socket: WebSocket,
  target: LinkTarget,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Extract<Control, { type: "ready" }>> {
  const where = `${target.host}:${target.port}`;
  try {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(
          new IpyboxError(
            "connect_failed",
            `Nothing on ${where} answered within ${timeoutMs} ms. Is that the port of an ipybox container? ` +
              "Raise connectTimeoutMs if it only is slow.",
            { details: { host: target.host, port: target.port, timeoutMs } },
          ),
        );
      }, timeoutMs);
      const abort = (): void => reject(signal?.reason);
      signal?.addEventListener("abort", abort, { once: true });
      if (signal?.aborted === true) abort();
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
      };
      socket.once("message", (data) => {
        socket.pause();
        done();
        try {
          const [frame] = readFrames(data as Buffer);
          const control = JSON.parse(frame?.payload.toString() ?? "") as Control;
          if (frame?.kind !== FrameKind.control || control.type !== "ready") throw new TypeError("it is not ready");
          resolve(control);
        } catch (cause) {
          reject(notAnAgent(where, cause));
        }
      });
      socket.once("unexpected-response", (_, response) => {
        done();
        response.resume();
        reject(refusal(response.statusCode ?? 0, target));
      });
      socket.once("error", (cause) => {
        done();
        reject(connectFailure(where, cause));
      });
      socket.once("close", () => {
        done();
        reject(notAnAgent(where, undefined));
      });
    });
  } catch (error) {
    socket.on("error", () => undefined);
    socket.terminate();
    throw error;
  }
}

function refusal(status: number, { host, port, kernelId }: LinkTarget): IpyboxError {
  const where = `${host}:${port}`;
  const details = { host, port, status };
  switch (status) {
    case 401:
      return new IpyboxError("unauthorized", `The container on ${where} does not accept the token. Pass container.token.`, {
        details,
      });
    case 404:
      return new IpyboxError("kernel_not_found", `The container on ${where} has no kernel ${kernelId} (any more).`, { details });
    case 503:
      return new IpyboxError(
        "kernel_start_failed",
        `The container on ${where} could not start a kernel: it may be out of memory or processes.`,
        { details },
      );
    default:
      return notAnAgent(where, new Error(`it answered with status ${status}`));
  }
}

function connectFailure(where: string, cause: Error): IpyboxError {
  if (!isRefused(cause)) return notAnAgent(where, cause);
  return new IpyboxError("connect_failed", `Nothing listens on ${where}. Is the container running, and is that its port?`, {
    cause,
  });
}

function notAnAgent(where: string, cause: unknown): IpyboxError {
  return new IpyboxError(
    "connect_failed",
    `What listens on ${where} does not answer as an ipybox container does. Is that container.port?`,
    { cause },
  );
}

function refused({ host, port }: LinkTarget, cause: unknown): IpyboxError {
  return new IpyboxError("container_died", `${host}:${port} refuses connections`, { cause });
}

function isRefused(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ((cause as NodeJS.ErrnoException).code === "ECONNREFUSED") return true;
  }
  return false;
}
