import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import WebSocket from "ws";
import { ContainerDiedError, IpyboxError } from "./errors.ts";
import { handshake, isRefused } from "./handshake.ts";
import { timerMs } from "./internal/timer.ts";
import { KERNELS_PATH } from "./protocol/agent-config.ts";
import { encodeJsonFrame, type Frame, FrameKind, readFrames } from "./protocol/frame.ts";
import { encodeRequest } from "./protocol/messages.ts";
import { type Control, RECEIPT_BYTES, type Request } from "./protocol/requests.ts";
import { Pulse } from "./pulse.ts";
import type { KernelTarget } from "./target.ts";

/** How often it is looked whether a connection still lives. */
const BEAT_MS = 500;

/** How often a client gives a sign of life, also when it reads nothing. */
const SIGN_MS = 5_000;

/** How long a connection that dropped is tried again. */
const RECONNECT_MS = 20_000;
const RETRY_TIMEOUT_MS = 5_000;
const RETRY_DELAYS_MS = [0, 50, 100, 200, 400, 800] as const;

/** The shorter way is given up when it takes so long. */
const DIRECT_TIMEOUT_MS = 2_000;

/** How long an agent may take to close a connection, or to be reached for that. */
const CLOSE_TIMEOUT_MS = 2_000;

/** A port that refuses connections for so long belongs to a container that is gone. */
const REFUSED_MS = 1_000;

export interface LinkOptions {
  /** Creates the kernel, with these terms; without it the kernel must be there. */
  readonly create?: { readonly gracePeriodMs: number; readonly idleTimeoutMs: number | null } | undefined;
  /** The last sequence that is not wanted; `latest`: only what comes from now on. */
  readonly after: number | "latest";
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface LinkEvents {
  /** A frame of the kernel's sequence, each once and in order. One of the `past` was there before the connection was made. */
  onFrame(frame: Frame, past: boolean): void;
  /** All of the past has come. */
  onCaughtUp(): void;
  /** What was sent before may not have arrived. */
  onReconnected(): void;
  /** Output was too much for the agent to keep: so many bytes of each execution are gone before the next frame, seen or not. */
  onGap(gone: ReadonlyMap<number, number>): void;
  /** The agent knows no execution of that number. */
  onNotFound(number: number): void;
  /** The connection is gone for good. */
  onLost(error: IpyboxError): void;
}

/** A client's connection to its kernel: it comes back when it drops, and goes on where it was. */
export class Link {
  readonly #target: KernelTarget;
  /** Names this client, so that a new connection takes the place of one that has died. */
  readonly client: string = randomUUID();
  #socket: WebSocket | undefined;
  #after: number | "latest";
  #sequence = 0;
  /** The last sequence there was when the connection was made. */
  #past = 0;
  #gone: ReadonlyMap<number, number> | undefined;
  #events: LinkEvents | undefined;
  /** What came together with the agent's first frame. */
  #early: Buffer[] = [];
  /** Bytes that came since the connection was made, and how many of them the agent was told of. */
  #receivedBytes = 0;
  #toldBytes = 0;
  #paused = false;
  #pulse: Pulse | undefined;
  #signAt = 0;
  #closed = false;
  /** Ends the attempt to connect that is under way. */
  readonly #ended = new AbortController();
  #heartbeat: NodeJS.Timeout | undefined;

  private constructor(target: KernelTarget, after: number | "latest") {
    this.#target = target;
    this.#after = after;
  }

  /** Connects, and creates the kernel when the options say so. `start()` lets frames come. */
  static async open(target: KernelTarget, options: LinkOptions): Promise<Link> {
    const link = new Link(target, options.after);
    await link.#connectFirst(options);
    link.#heartbeat = setInterval(() => link.#beat(), BEAT_MS).unref();
    return link;
  }

  /** Lets frames come. Until then they wait in the socket. */
  start(events: LinkEvents): void {
    this.#events = events;
    this.#flow();
  }

  /** Sends a request, unless the connection is down: who needs it sends it again after `onReconnected`. */
  send(request: Request): void {
    this.sendFrame(encodeRequest(request));
  }

  /** Sends a request that is encoded already. */
  sendFrame(frame: Buffer): void {
    this.#socket?.send(frame);
  }

  /** Leaves output where it is, so that the kernel has to wait. */
  pause(paused: boolean): void {
    this.#paused = paused;
    this.#pulse?.rest();
    if (paused) this.#socket?.pause();
    else this.#socket?.resume();
  }

  /** Ends the connection; removes the kernel if asked. Resolves when the agent has closed it, or after 2 s, 4 s when it is down just now. */
  async close(removeKernel: boolean): Promise<void> {
    if (this.#closed) return;
    this.#end();
    const socket = this.#socket;
    if (socket === undefined || socket.readyState !== WebSocket.OPEN) {
      if (removeKernel) await this.#removeKernel();
      return;
    }
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    if (removeKernel) socket.send(encodeJsonFrame(FrameKind.request, { type: "shutdown_request" }));
    else socket.close();
    socket.resume();
    const deadline = new AbortController();
    await Promise.race([closed, delay(CLOSE_TIMEOUT_MS, undefined, { signal: deadline.signal }).catch(() => undefined)]);
    deadline.abort();
    socket.terminate();
  }

  /** The connection is down just now: tries once more, so that the kernel is not left to its grace period. */
  async #removeKernel(): Promise<void> {
    try {
      const link = await Link.open(this.#target, { after: "latest", timeoutMs: CLOSE_TIMEOUT_MS });
      await link.close(true);
    } catch {
      // It can't be reached: the agent removes the kernel when the grace period is over.
    }
  }

  /** By the shorter way, if there is one and it works. */
  async #connectFirst({ timeoutMs, create, signal }: LinkOptions): Promise<void> {
    const { direct } = this.#target;
    if (direct !== undefined && timeoutMs > DIRECT_TIMEOUT_MS) {
      try {
        await this.#connect({ ...this.#target, ...direct }, DIRECT_TIMEOUT_MS, create, signal);
        return;
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof IpyboxError && error.code === "connect_failed")) throw error;
      }
    }
    await this.#connect(this.#target, timeoutMs, create, signal);
  }

  /** Frames wait until `#flow()`. */
  async #connect(target: KernelTarget, timeoutMs: number, create?: LinkOptions["create"], signal?: AbortSignal): Promise<void> {
    const { host, port, token, kernelId } = target;
    const query = new URLSearchParams({ client: this.client, after: String(this.#after) });
    if (create !== undefined) {
      query.set("create", "true");
      query.set("grace", String(create.gracePeriodMs));
      if (create.idleTimeoutMs !== null) query.set("idle", String(create.idleTimeoutMs));
    }
    const address = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
    const socket = new WebSocket(`ws://${address}:${port}${KERNELS_PATH}${kernelId}?${query.toString()}`, {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      skipUTF8Validation: true,
      maxPayload: 2 ** 31,
      handshakeTimeout: timerMs(timeoutMs),
    });
    // A socket that is paused still hands on what it has read: nothing of that may be missed.
    const early: Buffer[] = [];
    let receive = (data: Buffer): void => void early.push(data);
    socket.on("message", (data) => receive(data as Buffer));
    socket.once("upgrade", ({ socket: wire }) => (this.#pulse = new Pulse(wire)));
    const given = signal === undefined ? [] : [signal];
    const ready = await handshake(socket, target, timeoutMs, AbortSignal.any([this.#ended.signal, ...given]));
    this.#gone = ready.gone === undefined ? undefined : new Map(ready.gone);
    this.#after = this.#sequence = ready.nextSequence - 1;
    this.#past = ready.lastSequence;
    this.#socket = socket;
    this.#early = early;
    this.#receivedBytes = this.#toldBytes = 0;
    receive = (data) => this.#receive(data);
    socket.on("close", () => void this.#reconnect());
  }

  #flow(): void {
    if (this.#gone !== undefined) this.#events?.onGap(this.#gone);
    this.#gone = undefined;
    if (this.#sequence >= this.#past) this.#events?.onCaughtUp();
    for (const data of this.#early.splice(0)) this.#receive(data);
    if (!this.#paused) this.#socket?.resume();
  }

  #receive(data: Buffer): void {
    try {
      for (const frame of readFrames(data)) {
        if (frame.kind === FrameKind.control) {
          this.#control(JSON.parse(frame.payload.toString()) as Control);
        } else if (frame.sequence > this.#sequence) {
          if (frame.sequence > this.#sequence + 1)
            throw new RangeError(`${this.#sequence + 1} was to come, not ${frame.sequence}`);
          this.#after = this.#sequence = frame.sequence;
          this.#events?.onFrame(frame, frame.sequence <= this.#past);
          if (frame.sequence === this.#past) this.#events?.onCaughtUp();
        }
      }
    } catch (cause) {
      this.#lose(new IpyboxError("protocol_violation", "The agent sent what is no frame, or not the next.", { cause }));
    }
    this.#receivedBytes += data.length;
    if (this.#receivedBytes - this.#toldBytes < RECEIPT_BYTES) return;
    this.#toldBytes = this.#receivedBytes;
    this.send({ type: "received", bytes: this.#toldBytes });
  }

  #control(control: Control): void {
    if (control.type === "execution_not_found") this.#events?.onNotFound(control.execution);
    if (control.type !== "closed") return;
    if (control.code === "container_culled" || control.code === "container_abandoned") {
      this.#lose(new ContainerDiedError(control.message));
      return;
    }
    const gone = control.code === "kernel_not_found" || control.code === "kernel_culled";
    this.#lose(
      new IpyboxError(gone ? "kernel_not_found" : "protocol_violation", `The agent closed the connection: ${control.message}.`),
    );
  }

  async #reconnect(): Promise<void> {
    if (this.#closed) return;
    this.#socket = undefined;
    const startedAt = performance.now();
    let refusedAt: number | undefined;
    for (let attempt = 0; ; attempt += 1) {
      // Nothing else may keep the process alive now, and somebody may wait for a result.
      await delay(RETRY_DELAYS_MS[Math.min(attempt, RETRY_DELAYS_MS.length - 1)]);
      if (this.#closed) return;
      try {
        await this.#connect(this.#target, RETRY_TIMEOUT_MS);
        this.#events?.onReconnected();
        this.#flow();
        return;
      } catch (error) {
        if (this.#closed) return;
        const now = performance.now();
        refusedAt = isRefused(error) ? (refusedAt ?? now) : undefined;
        const why = await this.#target.whyGone?.();
        if (this.#closed) return;
        const final = error instanceof IpyboxError && ["unauthorized", "kernel_not_found"].includes(error.code);
        const refusing = refusedAt !== undefined && now - refusedAt > REFUSED_MS;
        if (why !== undefined || refusing) {
          const { host, port } = this.#target;
          this.#lose(new ContainerDiedError(why ?? `${host}:${port} refuses connections`, undefined, { cause: error }));
        } else if (final) {
          this.#lose(error);
        } else if (now - startedAt > RECONNECT_MS) {
          this.#lose(lostFor(this.#target, error));
        } else {
          continue;
        }
        return;
      }
    }
  }

  #beat(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    const now = performance.now();
    // While output is held back, nothing can come, and that says nothing.
    const needed = this.#paused ? "nothing" : this.#pulse?.check(now);
    if (needed === "give up") {
      socket.terminate();
    } else if (needed === "ask" || now - this.#signAt >= SIGN_MS) {
      this.#signAt = now;
      socket.ping();
    }
  }

  #end(): void {
    this.#closed = true;
    clearInterval(this.#heartbeat);
    this.#ended.abort(new IpyboxError("disconnected", "The client was disconnected."));
  }

  #lose(error: IpyboxError): void {
    if (this.#closed) return;
    this.#end();
    this.#socket?.terminate();
    this.#events?.onLost(error);
  }
}

function lostFor({ host, port }: KernelTarget, cause: unknown): IpyboxError {
  const text = `The connection to ${host}:${port} was lost, and did not come back for ${RECONNECT_MS / 1000} s.`;
  return new IpyboxError("connection_lost", `${text} The kernel may still run: see ExecutionClient.attach().`, { cause });
}
