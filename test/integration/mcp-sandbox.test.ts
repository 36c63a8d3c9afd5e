import { describe, expect, it } from "vitest";
import type { ExecutionContainer } from "../../src/container.ts";
import { OwnContainers, SharedContainer } from "../../src/mcp-server/containers.ts";
import { Sandbox } from "../../src/mcp-server/sandbox.ts";
import { verifies } from "../requirements.ts";
import { ownContainers } from "./docker.ts";

const never = new AbortController().signal;

describe("the sandbox of a session", () => {
  it("starts once, however many calls come first, also when some of them give up", async () => {
    verifies("MCP-03");
    const sandbox = new Sandbox({ containers: new OwnContainers({}), idleTimeoutMs: null });
    const ids = Array.from({ length: 5 }, () => sandbox.use(never, ({ container }) => Promise.resolve(container.id)));
    const controller = new AbortController();
    const left = sandbox.use(controller.signal, ({ container }) => Promise.resolve(container.id));
    controller.abort(new Error("left"));
    await expect(left).rejects.toThrow("left");
    await expect(sandbox.use(controller.signal, () => Promise.resolve())).rejects.toThrow("left");
    expect(new Set(await Promise.all(ids)).size).toBe(1);
    await sandbox.close();
    await expect(sandbox.use(never, () => Promise.resolve())).rejects.toThrow("The session has ended.");
    expect(await ownContainers()).toEqual([]);
  });

  it("tells why it can't start, and tries again with the next call", async () => {
    verifies("MCP-03");
    const containers = new OwnContainers({ tag: "ipybox-test/none:missing", showPullProgress: false });
    const sandbox = new Sandbox({ containers, idleTimeoutMs: null });
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(sandbox.use(never, () => Promise.resolve())).rejects.toMatchObject({ code: "image_not_found" });
    }
    await sandbox.close();
  });

  it("is given up while it starts when its server ends", async () => {
    verifies("MCP-03", "LIFE-02");
    const containers = new OwnContainers({});
    const sandbox = new Sandbox({ containers, idleTimeoutMs: null });
    const call = sandbox.use(never, () => Promise.resolve());
    containers.close();
    await Promise.all([expect(call).rejects.toThrow("The server is ending."), sandbox.close()]);
    expect(await ownContainers()).toEqual([]);
  });

  it("shares a container as long as one session has it, and another one when it is broken", async () => {
    verifies("MCP-03");
    const containers = new SharedContainer({});
    const [first, second] = await Promise.all([containers.take(), containers.take()]);
    expect(second).toBe(first);
    await containers.giveBack(first);
    expect(await ownContainers()).toHaveLength(1);
    await containers.giveBack(second, { isBroken: true });
    const third: ExecutionContainer = await containers.take();
    expect(third).not.toBe(first);
    // It is given back late, by a session that had not noticed.
    await containers.giveBack(first);
    expect(third.port).toBeGreaterThan(0);
    await containers.giveBack(third);
    expect(await ownContainers()).toEqual([]);
  });
});
