import { type ClientRequest, type IncomingMessage, request as ask, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Authority } from "../../network/host.ts";
import { authorityText } from "./gate.ts";
import { valuesOf } from "./request-target.ts";
import { splice } from "./tunnel.ts";

/** For one connection alone, and not for what is behind it. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "expect",
]);

const BODILESS: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE", "OPTIONS", "TRACE"]);

export interface Forwarded {
  readonly target: Authority;
  readonly path: string;
  readonly upstream: Socket;
}

/** Sends a request on, over a connection of its own, and its answer back. */
export function forward(request: IncomingMessage, response: ServerResponse, { target, path, upstream }: Forwarded): void {
  const sent = send(request, path, upstream, headersOf(request, target));
  sent.on("information", ({ statusCode, rawHeaders }) => {
    if (statusCode !== 103) return;
    try {
      response.writeEarlyHints({ link: [...valuesOf({ rawHeaders }, "link")] });
    } catch {
      // Node takes fewer links for valid than servers send; without a hint nothing is lost.
    }
  });
  sent.on("response", (answer) => {
    answer.on("error", () => response.destroy());
    answer.on("aborted", () => response.destroy());
    try {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, [...endToEnd(answer)]);
      answer.pipe(response);
    } catch {
      response.destroy(); // what the server has sent is no HTTP
    }
  });
  sent.on("error", (error) => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502, { "content-type": "text/plain", connection: "close" }).end(`ipybox: ${error.message}\n`);
  });
  response.on("close", () => sent.destroy());
  request.on("error", () => sent.destroy());
  request.pipe(sent);
}

/** Sends a request on that asks for a WebSocket; from the answer on, the two speak by themselves. */
export function forwardUpgrade(request: IncomingMessage, client: Socket, { target, path, upstream }: Forwarded): void {
  const headers = [...headersOf(request, target), "Connection", "Upgrade", "Upgrade", "websocket"];
  const sent = send(request, path, upstream, headers);
  sent.on("upgrade", (answer, socket, head) => {
    client.write(headText(answer, [...endToEnd(answer), "Connection", "Upgrade", "Upgrade", "websocket"]));
    if (head.length > 0) client.write(head);
    splice(client, socket);
  });
  sent.on("response", (answer) => {
    client.write(headText(answer, [...endToEnd(answer), "Connection", "close"]));
    answer.pipe(client);
  });
  sent.on("error", () => client.destroy());
  client.on("close", () => sent.destroy());
  sent.end();
}

function send(request: IncomingMessage, path: string, upstream: Socket, headers: readonly string[]): ClientRequest {
  const sent = ask({ createConnection: () => upstream, method: request.method, path, headers: [...headers] });
  // A tunnel may have paused it.
  sent.on("socket", () => upstream.resume());
  return sent;
}

/** The headers of a request as it goes on: one Host, and one length. */
function headersOf(request: IncomingMessage, target: Authority): readonly string[] {
  const hasHost = valuesOf(request, "host").length > 0;
  const isChunked = valuesOf(request, "transfer-encoding").length > 0;
  const hasLength = isChunked || valuesOf(request, "content-length").length > 0;
  return [
    ...endToEnd(request),
    ...(hasHost ? [] : ["Host", authorityText(target)]),
    ...(isChunked ? ["Transfer-Encoding", "chunked"] : []),
    // Else Node would announce a body.
    ...(hasLength || BODILESS.has(request.method ?? "") ? [] : ["Content-Length", "0"]),
    ...(request.headers.upgrade === undefined ? ["Connection", "close"] : []),
  ];
}

function endToEnd(message: IncomingMessage): readonly string[] {
  const named = valuesOf(message, "connection").flatMap((text) => text.toLowerCase().split(/[\s,]+/));
  const dropped = new Set([...HOP_BY_HOP, ...named.filter((name) => name !== "host" && name !== "content-length")]);
  return message.rawHeaders.filter((_, index, all) => !dropped.has((all[index - (index % 2)] ?? "").toLowerCase()));
}

function headText({ statusCode, statusMessage, httpVersion }: IncomingMessage, headers: readonly string[]): string {
  const lines = headers.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${headers[index + 1] ?? ""}`] : []));
  return `HTTP/${httpVersion} ${statusCode} ${statusMessage}\r\n${lines.join("\r\n")}\r\n\r\n`;
}
