import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { CONFIG_PATH, HEALTH_PATH, type Refusal } from "../protocol/agent-config.ts";
import { CONTROL_PATH, MAX_CONTROL_BYTES } from "../protocol/control.ts";
import { MAX_REQUEST_BYTES } from "../protocol/frame.ts";
import { watchDisk } from "./disk.ts";
import { healthProof } from "../protocol/health-proof.ts";
import type { Bound } from "../protocol/lifecycle.ts";
import { KernelStartError } from "./bounds.ts";
import { endSandbox } from "./ending.ts";
import { kernelSpec, parseAgentConfig } from "./kernel-spec.ts";
import { endWhenIdle } from "./idle.ts";
import { FileWorkers } from "./file-workers.ts";
import { Kernels } from "./kernels.ts";
import { readKernelUrl } from "./kernel-url.ts";
import { Network } from "./network/network.ts";
import { Lease } from "./lease.ts";
import { Owners } from "./owners.ts";
import { Strangers } from "./strangers.ts";
import type { KernelSpec } from "../protocol/requests.ts";
import type { Zygote } from "./zygote.ts";

/** TCP looks so long after the last byte whether the other end is still there, and gives up 10 s later. */
const KEEP_ALIVE_MS = 15_000;
const OWNER_KEEP_ALIVE_MS = 3_000;
const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

/**
 * The agent's one port: health, configuration, a WebSocket an owner, and one a kernel's client. Whatever lacks
 * the token gets 401.
 */
export function createAgentServer(tokenHash: Buffer, zygote: Zygote): Server {
  let kernels: Kernels | undefined;
  let files: FileWorkers | undefined;
  const lease = new Lease(() => {
    endSandbox({ kernels, owners }, "container_abandoned", "the process that has started the container is gone");
  });
  const network = new Network(zygote, (denials) => owners.tell({ type: "denied", denials }));
  const owners = new Owners(async (request) => {
    switch (request.type) {
      case "ping_request":
        return { type: "ping_reply" };
      case "network_request":
        return { type: "network_reply", ...(await network.hold(request.policy)) };
    }
  }, lease);
  const unpacked = { noServer: true, perMessageDeflate: false, skipUTF8Validation: true };
  const clientSockets = new WebSocketServer({ ...unpacked, maxPayload: MAX_REQUEST_BYTES });
  const ownerSockets = new WebSocketServer({ ...unpacked, maxPayload: MAX_CONTROL_BYTES });
  const authorized = ({ headers }: IncomingMessage): boolean => {
    const [scheme, token] = (headers.authorization ?? "").split(" ", 2);
    const given = createHash("sha256")
      .update(token ?? "")
      .digest();
    return scheme === "Bearer" && given.length === tokenHash.length && timingSafeEqual(given, tokenHash);
  };

  const configure = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (kernels !== undefined) {
      response.writeHead(409).end();
      return;
    }
    try {
      const config = parseAgentConfig(await readBody(request));
      await network.hold(config.network);
      const own = { ...process.env }; // Node asks the system for each of its own
      const spec = (): KernelSpec => kernelSpec(config, own, network.variables(config.proxies));
      kernels = new Kernels(zygote, spec);
      files = new FileWorkers(zygote, spec);
      if (config.detached) lease.waive();
      if (config.diskBytes !== null) watchDisk(kernels, { ...config, diskBytes: config.diskBytes });
      if (config.idleTimeoutMs !== null) endWhenIdle(kernels, files, owners, config.idleTimeoutMs);
    } catch (error) {
      response.writeHead(400).end(String(error));
      return;
    }
    await zygote.started();
    response.writeHead(204).end();
  };

  // So that the connection of a machine that has vanished ends within half a minute.
  const keepAlive = { keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
  const server = createServer(keepAlive, (request, response) => {
    const challenge = readChallenge(request);
    if (challenge !== undefined) {
      const ready = zygote.ready && kernels !== undefined;
      response.writeHead(ready ? 200 : 503).end(challenge === "" ? "" : healthProof(tokenHash, challenge).toString("hex"));
    } else if (!authorized(request)) {
      response.writeHead(401).end();
    } else if (request.method === "PUT" && request.url === CONFIG_PATH) {
      configure(request, response).catch((error: unknown) => response.writeHead(503).end(String(error)));
    } else {
      response.writeHead(404).end();
    }
  });

  const strangers = new Strangers(server);
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    if (!authorized(request)) {
      refuse(socket, 401, "unauthorized");
      return;
    }
    strangers.know(socket);
    if (request.url === CONTROL_PATH) {
      (socket as Socket).setKeepAlive(true, OWNER_KEEP_ALIVE_MS);
      ownerSockets.handleUpgrade(request, socket, head, (webSocket) => owners.join(webSocket));
      return;
    }
    const known = kernels;
    if (known === undefined) {
      refuse(socket, 503, "the sandbox was not configured: it was started again by other means");
      return;
    }
    if (files?.isFor(request.url) === true) {
      files.serve(request.url ?? "", socket, head).catch((error: unknown) => refuse(socket, 503, messageOf(error)));
      return;
    }
    const asked = readKernelUrl(request.url ?? "");
    if (asked === undefined || (asked.terms === undefined && !known.has(asked.id))) {
      refuse(socket, 404, "no such kernel");
      return;
    }
    known.open(asked.id, asked.terms).then(
      () => clientSockets.handleUpgrade(request, socket, head, (webSocket) => known.join(asked.id, webSocket, asked)),
      (error: unknown) => {
        const bound = error instanceof KernelStartError ? error.bound : undefined;
        refuse(socket, 503, messageOf(error), bound);
      },
    );
  });
  return server;
}

/** The challenge of a request for the agent's health, empty when there is none; undefined when it asks for something else. */
function readChallenge({ method, url = "" }: IncomingMessage): string | undefined {
  if (method !== "GET" || (url !== HEALTH_PATH && !url.startsWith(`${HEALTH_PATH}?`))) return undefined;
  return /^\?challenge=([0-9a-f]{64})$/.exec(url.slice(HEALTH_PATH.length))?.[1] ?? "";
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_CONFIG_BYTES) throw new RangeError(`the configuration is longer than ${MAX_CONFIG_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function refuse(socket: Duplex, status: number, reason: string, bound?: Bound): void {
  const body = JSON.stringify({ message: reason, bound } satisfies Refusal);
  socket.end(
    `HTTP/1.1 ${status} ${status === 401 ? "Unauthorized" : "Refused"}\r\nConnection: close\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
