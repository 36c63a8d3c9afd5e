import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Authority } from "../../network/host.ts";
import type { Denial } from "../network/denials.ts";
import { forward, forwardUpgrade, type Forwarded } from "./forward.ts";
import { type Gate, Refusal } from "./gate.ts";
import { readConnectTarget, readRequestTarget, type RequestTarget } from "./request-target.ts";
import { readSocks, SOCKS_GREETING, SOCKS_VERSION, SocksReply, socksReply } from "./socks.ts";
import { tunnel } from "./tunnel.ts";

const MOST_CONNECTIONS = 1_024;
/** How long a client may take to say what it wants. */
const HANDSHAKE_MS = 30_000;
const MAX_HEADER_BYTES = 65_536;

/**
 * The way out of cells whose policy lists names: HTTP, CONNECT and SOCKS 5 on one port of loopback. Each request is judged by
 * itself, and for each a connection of its own is made.
 */
export class Proxy {
  readonly #gate: Gate;
  readonly #report: (denial: Denial) => void;
  readonly #http: HttpServer;
  readonly #server: Server;
  /** Sockets that came through a tunnel, by what that is to. */
  readonly #bound = new WeakMap<Duplex, Bound>();
  /** Until when a socket has to have said what it wants. */
  readonly #patience = new WeakMap<Duplex, NodeJS.Timeout>();
  #port: Promise<number> | undefined;

  constructor(gate: Gate, report: (denial: Denial) => void) {
    this.#gate = gate;
    this.#report = report;
    const settings = { maxHeaderSize: MAX_HEADER_BYTES, requireHostHeader: false, insecureHTTPParser: false, keepAlive: true };
    this.#http = createHttpServer({ ...settings, requestTimeout: 0 });
    this.#http.on("request", (request, response) => void this.#onRequest(request, response));
    this.#http.on("upgrade", (request, socket) => void this.#onUpgrade(request, socket as Socket));
    this.#http.on("connect", (request, socket, head) => void this.#onConnect(request, socket as Socket, head));
    this.#http.on("clientError", (_, socket) => {
      if (socket.writable) socket.end(refusalText(new Refusal("malformed", "the request can't be read")));
      else socket.destroy();
    });
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#onConnection(socket));
    this.#server.maxConnections = MOST_CONNECTIONS;
  }

  /** Its port on 127.0.0.1; the same whenever it is asked for. */
  listen(): Promise<number> {
    this.#port ??= new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", () => {
        resolve((this.#server.address() as { readonly port: number }).port);
      });
    });
    return this.#port;
  }

  #onConnection(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    const timer = setTimeout(() => socket.destroy(), HANDSHAKE_MS);
    socket.once("close", () => clearTimeout(timer));
    const end = (): void => void socket.end(); // before it has said anything
    socket.once("end", end);
    socket.once("data", (chunk: Buffer) => {
      socket.off("end", end);
      socket.pause();
      socket.unshift(chunk);
      if (chunk[0] === SOCKS_VERSION) {
        this.#onSocks(socket, timer);
        return;
      }
      clearTimeout(timer);
      this.#serve(socket);
    });
  }

  /** Reads requests from a socket. */
  #serve(socket: Socket): void {
    this.#awaitRequest(socket);
    socket.once("close", () => clearTimeout(this.#patience.get(socket)));
    this.#http.emit("connection", socket);
    socket.resume();
  }

  /** Node's own limits (`headersTimeout`) hold only on a server that listens itself. */
  #awaitRequest(socket: Duplex): void {
    clearTimeout(this.#patience.get(socket));
    this.#patience.set(
      socket,
      setTimeout(() => socket.destroy(), HANDSHAKE_MS),
    );
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    clearTimeout(this.#patience.get(request.socket));
    response.once("close", () => this.#awaitRequest(request.socket));
    const forwarded = await this.#open(request, request.socket).catch((error: unknown) => {
      const { status, text } = describe(error);
      const headers = { "content-type": "text/plain", connection: "close" };
      response.writeHead(status, `ipybox: ${text}`, headers).end(`ipybox: ${text}\n`);
      request.resume();
      return undefined;
    });
    if (forwarded !== undefined) forward(request, response, forwarded);
  }

  async #onUpgrade(request: IncomingMessage, socket: Socket): Promise<void> {
    clearTimeout(this.#patience.get(socket));
    socket.on("error", () => socket.destroy());
    try {
      const isWebSocket = request.headers.upgrade?.toLowerCase() === "websocket";
      if (!isWebSocket) throw new Refusal("malformed", "only a WebSocket can be asked for in the course of HTTP");
      forwardUpgrade(request, socket, await this.#open(request, socket));
    } catch (error) {
      socket.end(refusalText(error));
    }
  }

  async #onConnect(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    clearTimeout(this.#patience.get(socket));
    socket.on("error", () => socket.destroy());
    socket.pause(); // what comes before the tunnel is there is not lost
    try {
      if (this.#bound.has(socket)) throw new Refusal("malformed", "a tunnel in a tunnel");
      const { target } = this.#read(readConnectTarget(request));
      const upstream = await this.#dial(target, socket);
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      if (head.length > 0) socket.unshift(head);
      this.#tunnel(socket, upstream, target);
    } catch (error) {
      socket.end(refusalText(error));
    }
  }

  #onSocks(socket: Socket, timer: NodeJS.Timeout): void {
    let bytes = Buffer.alloc(0);
    let greeted = false;
    const end = (): void => void socket.end(); // before it has said all: nothing can come of it
    const read = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      const found = readSocks(bytes);
      if (!greeted && found.greeted) {
        greeted = true;
        socket.write(SOCKS_GREETING);
      }
      if (found.kind === "incomplete") return;
      clearTimeout(timer);
      socket.off("data", read);
      socket.off("end", end);
      socket.pause();
      if (found.kind === "refused") {
        this.#report({ host: "*", protocol: "proxy", rule: "malformed", reason: found.reason });
        socket.end(found.reply);
        return;
      }
      const { target, rest } = found;
      this.#dial(target, socket).then(
        (upstream) => {
          socket.write(socksReply(SocksReply.done));
          if (rest.length > 0) socket.unshift(rest);
          this.#tunnel(socket, upstream, target);
        },
        (error: unknown) => {
          const isDenied = error instanceof Refusal && error.kind === "denied";
          socket.end(socksReply(isDenied ? SocksReply.denied : SocksReply.unreachable));
        },
      );
    };
    socket.on("data", read);
    socket.once("end", end);
    socket.resume();
  }

  #tunnel(client: Socket, upstream: Socket, target: Authority): void {
    tunnel(client, upstream, target, {
      onRefused: (rule, reason) => this.#gate.refuse(target, rule, reason),
      onHttp: () => {
        const bound: Bound = { target, upstream };
        this.#bound.set(client, bound);
        client.on("close", () => bound.upstream?.destroy());
        this.#serve(client);
      },
    });
  }

  /** Judges a plain request and connects it. */
  async #open(request: IncomingMessage, socket: Duplex): Promise<Forwarded> {
    const bound = this.#bound.get(socket);
    const { target, path } = this.#read(readRequestTarget(request, bound?.target), bound);
    const made = bound?.upstream;
    if (bound !== undefined) bound.upstream = undefined;
    // The first request of a tunnel has the connection that was made for it.
    const upstream = made === undefined || made.destroyed ? await this.#dial(target, socket) : made;
    return { target, path, upstream };
  }

  /** Connects to a target for a client, unless that goes away meanwhile: then nobody would ever end the connection. */
  async #dial(target: Authority, client: Duplex): Promise<Socket> {
    const upstream = await this.#gate.dial(target);
    if (!client.destroyed) return upstream;
    upstream.destroy();
    throw new Refusal("unreachable", "the client is gone");
  }

  #read(found: RequestTarget, bound?: Bound): Extract<RequestTarget, { kind: "target" }> {
    if (found.kind === "target") return found;
    if (bound !== undefined) throw this.#gate.refuse(bound.target, found.rule, found.reason);
    this.#report({ host: "*", protocol: "proxy", rule: found.rule, reason: found.reason });
    throw new Refusal(found.rule === "host" ? "denied" : "malformed", found.reason);
  }
}

interface Bound {
  readonly target: Authority;
  /** The connection that was made for the tunnel, until the first request has it. */
  upstream: Socket | undefined;
}

function describe(error: unknown): { readonly status: number; readonly text: string } {
  const kind = error instanceof Refusal ? error.kind : "unreachable";
  const text = (error instanceof Error ? error.message : String(error)).replace(/[^\x20-\x7e]/g, "?");
  return { status: { denied: 403, malformed: 400, unreachable: 502 }[kind], text };
}

function refusalText(error: unknown): string {
  const { status, text } = describe(error);
  const body = `ipybox: ${text}\n`;
  return (
    `HTTP/1.1 ${status} ipybox: ${text}\r\nContent-Type: text/plain\r\nConnection: close\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}
