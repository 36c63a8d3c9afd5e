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
