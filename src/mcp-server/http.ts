import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isInitializeRequest, isJsonContentType, isJSONRPCRequest, ProtocolErrorCode } from "@modelcontextprotocol/server";
import { HttpGuard } from "./http-guard.ts";
import type { HttpSessions } from "./http-sessions.ts";
import { readMessage, refusedAnswer } from "./json-rpc.ts";

/** Where the protocol is spoken. */
export const MCP_PATH = "/mcp";

/** Bounds of what a client may send, and how slowly. */
const LIMITS = { maxHeaderSize: 16_384, headersTimeout: 10_000, requestTimeout: 60_000, keepAliveTimeout: 5_000 };
const MAX_CONNECTIONS = 256;
/** Codes of errors that JSON-RPC leaves to servers. */
const SERVER_ERROR = -32_000;
const SESSION_NOT_FOUND = -32_001;

export interface HttpOptions {
  readonly host: string;
  /** 0 for a free one. */
  readonly port: number;
  readonly tokens: readonly string[];
  readonly sessions: HttpSessions;
  readonly maxMessageBytes: number;
}

/** MCP over streamable HTTP: `POST`, `GET` and `DELETE` on one path. */
export class HttpServing {
  readonly #options: HttpOptions;
  readonly #guard: HttpGuard;
  readonly #server: Server;

  private constructor(options: HttpOptions) {
    this.#options = options;
    this.#guard = new HttpGuard(options.host, options.tokens);
    this.#server = createServer({ ...LIMITS, connectionsCheckingInterval: 1_000 }, (request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        if (!response.headersSent) answer(response, 500, ProtocolErrorCode.InternalError, "Internal error");
        else response.destroy();
        // A client that goes away is no error of ours.
        if (!request.socket.destroyed) process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
      });
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Listens. Throws what the system says when it can't. */
  static async start(options: HttpOptions): Promise<HttpServing> {
    const serving = new HttpServing(options);
    await new Promise<void>((resolve, reject) => {
      serving.#server.once("error", reject);
      serving.#server.listen(options.port, options.host, () => {
        serving.#server.off("error", reject);
        resolve();
      });
    });
    return serving;
  }

  get url(): string {
    const { address, port, family } = this.#server.address() as AddressInfo;
    return `http://${family === "IPv6" ? `[${address}]` : address}:${port}${MCP_PATH}`;
  }

  /** Takes nobody any more, and ends all sessions. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await this.#options.sessions.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const admitted = this.#guard.admit(request);
    if ("status" in admitted) return answer(response, admitted.status, SERVER_ERROR, admitted.message);
    if (request.url !== MCP_PATH) return answer(response, 404, SERVER_ERROR, `Not found: this server has ${MCP_PATH} alone`);
    switch (request.method) {
      case "POST":
        return this.#post(request, response, admitted.owner);
      case "GET":
      case "DELETE":
        return this.#pass(request, response, admitted.owner);
      default:
        response.setHeader("Allow", "GET, POST, DELETE");
        return answer(response, 405, SERVER_ERROR, "Method not allowed");
    }
  }

  async #post(request: IncomingMessage, response: ServerResponse, owner: number): Promise<void> {
    if (!isJsonContentType(request.headers["content-type"]) || request.headers["content-encoding"] !== undefined) {
      return answer(response, 415, SERVER_ERROR, "Unsupported media type: send application/json, not compressed");
    }
    const body = await readBody(request, this.#options.maxMessageBytes);
    if (body === undefined) {
      return answer(response, 413, SERVER_ERROR, `Content too large: more than ${this.#options.maxMessageBytes} bytes`);
    }
    const received = readMessage(body);
    if (received.kind === "refused") return write(response, 400, received.answer);
    const { message } = received;
    if (request.headers["mcp-session-id"] !== undefined) return this.#pass(request, response, owner, message);
    const id = isJSONRPCRequest(message) ? message.id : null;
    if (!isInitializeRequest(message)) {
      return answer(
        response,
        400,
        SERVER_ERROR,
        "Bad request: initialize comes first; later requests name their Mcp-Session-Id",
        id,
      );
    }
    const { sessions } = this.#options;
    if (sessions.isFull) {
      const text = `Too many sessions: ${sessions.count} are there. End one with DELETE, or wait until one is idle for long enough.`;
      return answer(response, 503, SERVER_ERROR, text, id);
    }
    const { transport } = await sessions.open(owner);
    await relay(await transport.handleRequest(webRequest(request), { parsedBody: message }), response);
    // One that the SDK has not taken is no session.
    if (response.statusCode >= 400) await transport.close();
  }

  async #pass(request: IncomingMessage, response: ServerResponse, owner: number, parsedBody?: unknown): Promise<void> {
    const id = request.headers["mcp-session-id"];
    if (typeof id !== "string") return answer(response, 400, SERVER_ERROR, "Bad request: the header Mcp-Session-Id is missing");
    const session = this.#options.sessions.find(id, owner);
    if (session === undefined) return answer(response, 404, SESSION_NOT_FOUND, "Session not found");
    const options = parsedBody === undefined ? {} : { parsedBody };
    await relay(await session.transport.handleRequest(webRequest(request), options), response);
  }
}

/** The body, or undefined when it is too long. */
async function readBody(request: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The request without its body, as the SDK's transport takes it. */
function webRequest(request: IncomingMessage): Request {
  const headers = Object.entries(request.headers).flatMap(([name, value]): [string, string][] =>
    value === undefined || name === "authorization" ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]],
  );
  return new Request(`http://localhost${MCP_PATH}`, { method: request.method ?? "GET", headers });
}

/** Sends what the SDK's transport answers, as far as somebody reads it. */
async function relay(from: Response, to: ServerResponse): Promise<void> {
  to.writeHead(from.status, { ...Object.fromEntries(from.headers), "cache-control": "no-store" });
  if (from.body === null) {
    to.end();
    return;
  }
  to.flushHeaders();
  await pipeline(Readable.fromWeb(from.body), to);
}

function answer(
  response: ServerResponse,
  status: number,
  code: number,
  message: string,
  id: string | number | null = null,
): void {
  if (status === 401) response.setHeader("WWW-Authenticate", "Bearer");
  write(response, status, refusedAnswer(id, code, message));
}

function write(response: ServerResponse, status: number, body: object): void {
  // What is left of the request is not read.
  if (!response.req.complete) response.setHeader("Connection", "close");
  response.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store" });
  response.end(`${JSON.stringify(body)}\n`);
}
