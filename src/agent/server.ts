import { timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { HEALTH_PATH, KERNELS_PATH } from "../protocol/agent-config.ts";
import { MAX_REQUEST_BYTES } from "../protocol/frame.ts";
import type { Kernels } from "./kernels.ts";
import type { Zygote } from "./zygote.ts";

const KERNEL_ID = /^[0-9a-z-]{8,64}$/;

/** The agent's one port: health, and a WebSocket a kernel. Whatever lacks the token gets 401. */
export function createAgentServer(token: string, kernels: Kernels, zygote: Zygote): Server {
  const webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_REQUEST_BYTES,
    skipUTF8Validation: true,
  });
  const expected = Buffer.from(`Bearer ${token}`);
  const authorized = (request: IncomingMessage): boolean => {
    const given = Buffer.from(request.headers.authorization ?? "");
    return given.length === expected.length && timingSafeEqual(given, expected);
  };

  const server = createServer((request, response) => {
    if (request.method === "GET" && request.url === HEALTH_PATH) {
      response.writeHead(zygote.ready ? 200 : 503).end();
    } else {
      response.writeHead(authorized(request) ? 404 : 401).end();
    }
  });

  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    if (!authorized(request)) {
      refuse(socket, 401, "the token is missing or wrong");
      return;
    }
    const url = new URL(request.url ?? "/", "http://agent");
    const id = url.pathname.startsWith(KERNELS_PATH) ? url.pathname.slice(KERNELS_PATH.length) : "";
    const create = url.searchParams.get("create") === "true";
    const sequence = Number(url.searchParams.get("after") ?? 0);
    if (!KERNEL_ID.test(id) || !Number.isSafeInteger(sequence) || (!create && !kernels.has(id))) {
      refuse(socket, 404, "no such kernel");
      return;
    }
    kernels.open(id).then(
      (kernel) => {
        webSockets.handleUpgrade(request, socket, head, (webSocket) => kernels.join(kernel, webSocket, sequence));
      },
      (error: unknown) => refuse(socket, 503, error instanceof Error ? error.message : String(error)),
    );
  });
  return server;
}

function refuse(socket: Duplex, status: number, reason: string): void {
  const body = JSON.stringify({ message: reason });
  socket.end(
    `HTTP/1.1 ${status} ${status === 401 ? "Unauthorized" : "Refused"}\r\nConnection: close\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
