import { once } from "node:events";
import { createServer as createHttpServer, get, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { forward } from "../../src/agent/proxy/forward.ts";
import type { Gate } from "../../src/agent/proxy/gate.ts";
import { readOpening } from "../../src/agent/proxy/opening.ts";
import { Proxy } from "../../src/agent/proxy/proxy.ts";
import { type Authority, parseAuthority } from "../../src/network/host.ts";
import { verifies } from "../requirements.ts";

const target = parseAuthority("example.com:80") as Authority;
const servers: Server[] = [];
afterEach(() => servers.splice(0).forEach((server) => server.close()));

async function listening(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

describe("the proxy", () => {
  it.each([
    ["two links in one field", "</a.css>; rel=preload, </b.js>; rel=preload"],
    ["a value that Node takes for no link", '</a.css>; rel="preload stylesheet"'],
  ])("outlives early hints with %s, and passes on the answer", async (_, link) => {
    verifies("NET-04");
    const port = await listening(
      createServer((socket) => {
        socket.end(
          `HTTP/1.1 103 Early Hints\r\nLink: ${link}\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody`,
        );
      }),
    );
    const proxy = await listening(
      createHttpServer((request, response) => {
        forward(request, response, { target, path: "/", upstream: connect({ host: "127.0.0.1", port }) });
      }),
    );
    const [answer] = (await once(get({ host: "127.0.0.1", port: proxy, path: "/" }), "response")) as [IncomingMessage];
    expect([answer.statusCode, await text(answer)]).toEqual([200, "body"]);
  });

  it.each([
    ["CONNECT", "CONNECT example.com:80 HTTP/1.1\r\nHost: example.com:80\r\n\r\n"],
    ["a plain request", "GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n"],
    ["SOCKS", Buffer.from([5, 1, 0, 5, 1, 0, 1, 10, 1, 2, 3, 0, 80])],
  ])("keeps no connection for a client that went away while it was made: %s", async (_, request) => {
    verifies("NET-08");
    const port = await listening(createServer({ allowHalfOpen: true }, (socket) => socket.resume()));
    let dialled: ((upstream: Socket) => void) | undefined;
    const gate = { dial: () => new Promise<Socket>((resolve) => (dialled = resolve)) } as unknown as Gate;
    const client = connect({ host: "127.0.0.1", port: await new Proxy(gate, () => undefined).listen() });
    await once(client, "connect");
    client.write(request);
    await expect.poll(() => dialled).toBeDefined();
    client.resetAndDestroy();
    const upstream = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    await once(upstream, "connect");
    await new Promise((resolve) => setTimeout(resolve, 100)); // the proxy hears of the reset
    dialled?.(upstream);
    await once(upstream, "close");
    expect(upstream.destroyed).toBe(true);
  });
});

describe("a client that does not say what it wants", () => {
  afterEach(() => void vi.useRealTimers());

  it.each([
    ["nothing", ""],
    ["half a request", "GET http://example.com/ HTTP/1.1\r\nHost: exa"],
    ["half of a second request", "GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\nGET http://example.com/ HT"],
  ])("is let go after 30 s: %s", async (_, said) => {
    verifies("NET-04", "LIFE-04");
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const port = await listening(
      createServer((socket) => {
        socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
      }),
    );
    const gate = {
      dial: async () => {
        const upstream = connect({ host: "127.0.0.1", port });
        await once(upstream, "connect");
        return upstream;
      },
    } as unknown as Gate;
    const client = connect({ host: "127.0.0.1", port: await new Proxy(gate, () => undefined).listen() });
    await once(client, "connect");
    client.resume();
    client.write(said);
    for (let round = 0; round < 20; round += 1) await new Promise((resolve) => setImmediate(resolve));
    await vi.advanceTimersByTimeAsync(29_000);
    expect(client.destroyed).toBe(false);
    await vi.advanceTimersByTimeAsync(2_000);
    // By the proxy's own timer: Node's for the next request of a connection runs on real time, and any byte starts it anew.
    for (let round = 0; !client.destroyed && round < 2_000; round += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(client.destroyed).toBe(true);
  });
});

describe("a tunnel's first line", () => {
  it.each(["GET / HTTP/1.1 ", "GET / HTTP/1.01", "GET /\tHTTP/1.1", "GET / HTTP/1.1\t", "get / http/1.1", "GET / HTTP/1.1 x"])(
    "is read as a request where a lenient server might: %j",
    (line) => {
      verifies("NET-05");
      const bytes = Buffer.from(`${line}\r\nHost: other.example\r\n\r\n`);
      expect(readOpening(bytes, target, { serverHasSpoken: false })).toEqual({ kind: "http" });
    },
  );
});
