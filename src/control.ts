import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import WebSocket from "ws";
import { ContainerDiedError, IpyboxError } from "./errors.ts";
import { type Deferred, deferred } from "./internal/deferred.ts";
import { timerMs } from "./internal/timer.ts";
import { CONTROL_PATH, type ControlEvent, type ControlReply, type ControlRequest } from "./protocol/control.ts";
import { controlMessage } from "./protocol/control-messages.ts";

/** How often the agent is asked for a sign of life; one that gives none in between has lost the connection. */
const BEAT_MS = 5_000;
const RETRY_DELAYS_MS = [0, 100, 200, 400, 800, 1_600] as const;
const CONNECT_TIMEOUT_MS = 5_000;

/** A connection that does not come back for so long is tried again only when something is asked for: by then the lease is over. */
const GIVE_UP_MS = 60_000;
const REPLY_TIMEOUT_MS = 10_000;

/** Where the agent is, and what lets in. */
export interface ControlTarget {
  readonly host: string;
  readonly port: number;
  readonly token: string;
}

type EventMap = { readonly [Type in ControlEvent["type"]]: [event: Extract<ControlEvent, { type: Type }>] };

interface Asked {
  readonly request: ControlRequest & { readonly id: number };
  readonly reply: Deferred<ControlReply>;
}

/** An owner's connection to the agent of its container: it comes back when it drops, and holds no process up. */
export class Control extends EventEmitter<EventMap> {
  readonly #target: ControlTarget;
  readonly #asked = new Map<number, Asked>();
  #socket: WebSocket | undefined;
  #wire: Socket | undefined;
  #next = 1;
  #alive = true;
  #closed = false;
  #reconnecting = false;
  #beat: NodeJS.Timeout | undefined;

  private constructor(target: ControlTarget) {
    super();
    this.#target = target;
  }

  /** Connects. Fails as the connection does, with `connect_failed`, or with the reason of `signal`. */
  static async open(target: ControlTarget, options: { timeoutMs: number; signal?: AbortSignal | undefined }): Promise<Control> {
    const control = new Control(target);
    await control.#connect(options.timeoutMs, options.signal);
    control.#beat = setInterval(() => control.#look(), BEAT_MS).unref();
    return control;
  }

  /**
   * Asks for something; asks again when the connection drops before the answer.
   *
   * @throws IpyboxError `agent_failed` with the agent's reason, `connection_lost` after 10 s; ContainerDiedError after `close()`.
   */
  async request<Type extends ControlReply["type"]>(
    request: ControlRequest,
    expected: Type,
    timeoutMs: number = REPLY_TIMEOUT_MS,
  ): Promise<Extract<ControlReply, { type: Type }>> {
    if (this.#closed) throw gone();
    const asked: Asked = { request: { ...request, id: this.#next++ }, reply: deferred() };
    const { id } = asked.request;
    this.#asked.set(id, asked);
    this.#hold();
    this.#send(asked);
    if (this.#socket === undefined) void this.#reconnect();
    const timer = setTimeout(() => {
      const text = `The container's agent did not answer a ${request.type} within ${timeoutMs} ms.`;
      asked.reply.reject(new IpyboxError("connection_lost", text, { details: { timeoutMs } }));
    }, timeoutMs);
    try {
      const reply = await asked.reply.promise;
      if (reply.type === "error_reply") throw new IpyboxError("agent_failed", `The container's agent failed: ${reply.message}.`);
      if (reply.type !== expected)
        throw new IpyboxError("protocol_violation", `The agent gave a ${reply.type}, not a ${expected}.`);
      return reply as Extract<ControlReply, { type: Type }>;
    } finally {
      clearTimeout(timer);
      this.#asked.delete(id);
      this.#hold();
    }
  }

  /** Ends the connection at once; what was asked for fails. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#beat);
    for (const { reply } of this.#asked.values()) reply.reject(gone());
    this.#socket?.terminate();
  }

  async #connect(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const { host, port, token } = this.#target;
    const address = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
    const socket = new WebSocket(`ws://${address}:${port}${CONTROL_PATH}`, {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      maxPayload: 64 * 1024 * 1024,
      handshakeTimeout: timerMs(timeoutMs),
    });
    socket.once("upgrade", ({ socket: wire }) => (this.#wire = wire));
    const abort = (): void => socket.terminate();
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted === true) abort();
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once("open", resolve);
        socket.on("error", reject);
      });
    } catch (cause) {
      signal?.throwIfAborted();
      const text = `The agent on ${host}:${port} does not take its owner's connection.`;
      throw new IpyboxError("connect_failed", text, { cause, details: { host, port } });
    } finally {
      signal?.removeEventListener("abort", abort);
    }
    if (this.#closed) {
      socket.terminate();
      return;
    }
    this.#socket = socket;
    this.#alive = true;
    socket.on("pong", () => (this.#alive = true));
    socket.on("message", (data) => this.#receive((data as Buffer).toString()));
    socket.on("close", () => void this.#reconnect());
    this.#hold();
    for (const asked of this.#asked.values()) this.#send(asked);
  }

  async #reconnect(): Promise<void> {
    this.#socket = undefined;
    if (this.#reconnecting) return;
    this.#reconnecting = true;
    const giveUpAt = performance.now() + GIVE_UP_MS;
    for (let attempt = 0; !this.#closed && this.#socket === undefined; attempt += 1) {
      if (performance.now() > giveUpAt && this.#asked.size === 0) break;
      await delay(RETRY_DELAYS_MS[Math.min(attempt, RETRY_DELAYS_MS.length - 1)], undefined, { ref: false });
      if (!this.#closed) await this.#connect(CONNECT_TIMEOUT_MS).catch(() => undefined);
    }
    this.#reconnecting = false;
  }

  #receive(text: string): void {
    this.#alive = true;
    const message = readMessage(text);
    if (message === undefined) {
      this.#socket?.terminate();
    } else if ("id" in message) {
      this.#asked.get(message.id)?.reply.resolve(message);
    } else {
      // Which event has which message, TypeScript can't tell here.
      EventEmitter.prototype.emit.call(this, message.type, message);
    }
  }

  #send({ request }: Asked): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(request));
  }

  #look(): void {
    if (this.#socket === undefined) return;
    if (!this.#alive) this.#socket.terminate();
    this.#alive = false;
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
  }

  /** The connection keeps the process running only while something is asked for. */
  #hold(): void {
    if (this.#asked.size > 0) this.#wire?.ref();
    else this.#wire?.unref();
  }
}

function readMessage(text: string): ControlReply | ControlEvent | undefined {
  try {
    return controlMessage.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function gone(): ContainerDiedError {
  return new ContainerDiedError("its owner has let it go");
}
