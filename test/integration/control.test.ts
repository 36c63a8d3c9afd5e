import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { Control } from "../../src/control.ts";
import { FaultyProxy } from "../fakes/faulty-proxy.ts";
import { verifies } from "../requirements.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

describe("an owner's connection", () => {
  const sandbox = useContainer();

  it("is answered, also after it has dropped", async () => {
    verifies("KERN-08");
    const { host, port, token } = sandbox.container;
    await using proxy = await FaultyProxy.before(port);
    const control = await Control.open({ host, port: proxy.port, token }, { timeoutMs: 5_000 });
    try {
      expect(await control.request({ type: "ping_request" }, "ping_reply")).toEqual({ type: "ping_reply", id: 1 });
      const before = proxy.connections;
      proxy.cut("reset");
      expect(await control.request({ type: "ping_request" }, "ping_reply")).toEqual({ type: "ping_reply", id: 2 });
      await eventually(() => proxy.connections > before);
    } finally {
      control.close();
    }
    await expect(control.request({ type: "ping_request" }, "ping_reply")).rejects.toThrow("let it go");
  });

  it("is refused without the token", async () => {
    const { host, port } = sandbox.container;
    const error = await rejection(Control.open({ host, port, token: "wrong" }, { timeoutMs: 5_000 }), Error);
    expect(error.message).toContain("does not take its owner's connection");
  });

  it.each(["//", "http://[", "/v1/nothing", "/v1/kernels/x"])(
    "is answered with 404 for %j, and the agent goes on",
    async (path) => {
      verifies("SEC-04");
      await using client = await sandbox.connect();
      const { host, port, token } = sandbox.container;
      const socket = connect(port, host);
      const upgrade = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString("base64")}`;
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n${upgrade}\r\n\r\n`);
      const [answer] = (await once(socket, "data")) as [Buffer];
      socket.destroy();
      expect(answer.toString()).toMatch(/^HTTP\/1.1 404 /);
      expect((await client.execute("1 + 1")).text).toBe("2");
    },
  );

  it("fails when the agent does not answer in time", async () => {
    verifies("TIME-05");
    const { host, port, token } = sandbox.container;
    await using proxy = await FaultyProxy.before(port);
    const control = await Control.open({ host, port: proxy.port, token }, { timeoutMs: 5_000 });
    proxy.swallow("down");
    await expect(control.request({ type: "ping_request" }, "ping_reply", 300)).rejects.toMatchObject({ code: "connection_lost" });
    control.close();
  });
});
