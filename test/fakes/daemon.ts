import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer as createTcpServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import type { Duplex } from "node:stream";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Something that listens until it is disposed. */
export interface Listening extends AsyncDisposable {
  /** Where, as `DOCKER_HOST` is written. */
  readonly dockerHost: string;
}

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown;

/** A daemon on a socket that answers each request alike. */
export function fakeDaemon(answer: Answer): Promise<Listening> {
  return listenOnSocket(createServer((request, response) => void answer(request, response)));
}

/** A daemon that tells these facts about itself. */
export function daemonOfVersion(version: Readonly<Record<string, unknown>>): Promise<Listening> {
  return fakeDaemon((_, response) => {
    response.setHeader("content-type", "application/json").end(JSON.stringify({ NCPU: 2, MemTotal: 2 ** 32, ...version }));
  });
}

/** Makes the machine's own daemon reachable over TCP. */
export function tcpForwarder(socketPath: string): Promise<Listening> {
  return listenOnPort(createTcpServer((client) => splice(client, connect(socketPath))));
}

/** Makes the machine's own daemon reachable over TLS. */
export function tlsForwarder(socketPath: string, options: TlsOptions): Promise<Listening> {
  const server = createTlsServer(options, (client) => splice(client, connect(socketPath)));
  server.on("tlsClientError", () => undefined);
  return listenOnPort(server);
}

/** Connects two sockets with each other. */
export function splice(a: Duplex, b: Duplex): void {
  a.pipe(b).pipe(a);
  a.on("error", () => b.destroy());
  b.on("error", () => a.destroy());
}

async function listenOnSocket(server: Server): Promise<Listening> {
  const directory = await mkdtemp(join(tmpdir(), "ipybox-daemon-"));
  const path = join(directory, "docker.sock");
  const end = await listen(server, { path });
  return {
    dockerHost: `unix://${path}`,
    async [Symbol.asyncDispose]() {
      await end();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function listenOnPort(server: Server): Promise<Listening> {
  const end = await listen(server, { port: 0, host: "127.0.0.1" });
  return { dockerHost: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`, [Symbol.asyncDispose]: end };
}

/** Listens; gives what ends it, with all its connections. */
export async function listen(server: Server, where: object): Promise<() => Promise<void>> {
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(where, resolve));
  return async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
}
