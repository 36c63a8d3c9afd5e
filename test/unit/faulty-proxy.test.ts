import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FaultyProxy } from "../fakes/faulty-proxy.ts";

// Other tests believe what the proxy claims to have done.
describe("the faulty proxy", () => {
  let server: Server;
  let received = 0;
  let inside: Socket | undefined;
  beforeEach(async () => {
    received = 0;
    server = createServer((socket) => {
      inside = socket;
      socket.on("data", (chunk) => {
        received += chunk.length;
        socket.write(chunk);
      });
      socket.on("error", () => undefined);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterEach(() => {
    inside?.destroy();
    server.close();
  });

  const before = (): Promise<FaultyProxy> => FaultyProxy.before((server.address() as AddressInfo).port);

  async function open(proxy: FaultyProxy): Promise<{ socket: Socket; text: () => string; ended: Promise<string> }> {
    const socket = connect(proxy.port, "127.0.0.1");
    const chunks: Buffer[] = [];
    let failure = "closed";
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", (error: NodeJS.ErrnoException) => (failure = error.code ?? "?"));
    const ended = new Promise<string>((resolve) => socket.on("close", () => resolve(failure)));
    await once(socket, "connect");
    return { socket, text: () => Buffer.concat(chunks).toString(), ended };
  }

  async function until(condition: () => boolean): Promise<void> {
    for (const deadline = Date.now() + 5_000; !condition();) {
      if (Date.now() > deadline) throw new Error(`never: ${condition.toString()}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  it("hands everything on, in slices and late too", async () => {
    await using proxy = await before();
    const { socket, text, ended } = await open(proxy);
    const sent = Array.from({ length: 3000 }, (_, i) => `line ${i}\n`).join("");
    socket.write(sent);
    await until(() => text() === sent);
    proxy.setLine({ sliceBytes: 100, latencyMs: 30, jitterMs: 20 });
    const startedAt = performance.now();
    socket.write(sent);
    await until(() => text() === sent + sent);
    expect(performance.now() - startedAt).toBeGreaterThan(20);
    socket.end();
    expect(await ended).toBe("closed");
  });

  it("is as slow as asked", async () => {
    await using proxy = await before();
    const { socket, text } = await open(proxy);
    proxy.setLine({ bytesPerSecond: 20_000 });
    const startedAt = performance.now();
    socket.write("x".repeat(6_000));
    await until(() => text().length === 6_000);
    expect(performance.now() - startedAt).toBeGreaterThan(280);
  });

  it.each([
    ["up", 1234],
    ["down", 777],
  ] as const)("cuts after exactly so many bytes %s", async (direction, bytes) => {
    await using proxy = await before();
    const { socket, text, ended } = await open(proxy);
    await until(() => inside !== undefined);
    proxy.cutAfter(bytes, direction, "close");
    socket.write("x".repeat(5_000));
    await ended;
    expect(direction === "up" ? received : text().length).toBe(bytes);
    expect(proxy.cuts).toBe(1);
  });

  it("resets", async () => {
    await using proxy = await before();
    const { ended } = await open(proxy);
    await until(() => proxy.connections === 1);
    proxy.cut("reset");
    expect(await ended).toBe("ECONNRESET");
  });

  it("swallows one way, and keeps the connection", async () => {
    await using proxy = await before();
    const { socket, text } = await open(proxy);
    proxy.swallow("down");
    socket.write("lost");
    await until(() => received === 4);
    socket.write("more");
    await until(() => received === 8);
    expect(text()).toBe("");
    expect(socket.readyState).toBe("open");
    proxy.heal();
    const next = await open(proxy);
    next.socket.write("works");
    await until(() => next.text() === "works");
  });

  it("takes nothing from a stalled connection", async () => {
    await using proxy = await before();
    const { socket } = await open(proxy);
    await until(() => proxy.connections === 1);
    proxy.stall();
    socket.write(Buffer.alloc(32 * 1024 * 1024));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(socket.writableLength).toBeGreaterThan(0);
    expect(received).toBe(0);
  });

  it("refuses, and accepts again on the same port", async () => {
    await using proxy = await before();
    await proxy.refuse();
    await expect(open(proxy)).rejects.toThrow("ECONNREFUSED");
    await proxy.accept();
    const { socket, text } = await open(proxy);
    socket.write("back");
    await until(() => text() === "back");
  });

  it("leaves nothing open", async () => {
    const proxy = await before();
    proxy.setLine({ latencyMs: 5_000 });
    const { socket, ended } = await open(proxy);
    socket.write("late");
    await until(() => inside !== undefined);
    await proxy[Symbol.asyncDispose]();
    await ended;
    await until(() => inside?.destroyed === true || inside?.readyState !== "open");
    await expect(open(proxy)).rejects.toThrow("ECONNREFUSED");
  });
});
