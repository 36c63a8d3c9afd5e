import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { ExecutionClient } from "ipybox";
import { describe, expect, it } from "vitest";
import { isAgentAt } from "../../src/direct-address.ts";
import { readRuntimeEntry, saveRuntimeEntry, type RuntimeEntry } from "../../src/runtime-dir.ts";
import { verifies } from "../requirements.ts";
import { useContainer } from "./sandbox.ts";

describe("the way past the published port", () => {
  const sandbox = useContainer();
  const entry = async (): Promise<RuntimeEntry> => {
    const { host, port } = sandbox.container;
    return readRuntimeEntry(host, port) as RuntimeEntry;
  };

  it("is taken only to an agent that knows the hash of the token", async () => {
    verifies("SEC-04");
    const { host, port, token } = sandbox.container;
    expect(await isAgentAt({ host, port }, token)).toBe(true);
    expect(await isAgentAt({ host, port }, `${token}x`)).toBe(false);
  });

  it("is given up when nothing answers there", async () => {
    verifies("TIME-05");
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { host, port } = sandbox.container;
    const before = await entry();
    try {
      const direct = { host: "127.0.0.1", port: (silent.address() as AddressInfo).port };
      await saveRuntimeEntry(host, port, { ...before, direct });
      await using client = await ExecutionClient.connect({ port });
      expect((await client.execute("1 + 1")).text).toBe("2");
      silent.close();
      await using second = await ExecutionClient.connect({ port });
      expect((await second.execute("1 + 1")).text).toBe("2");
    } finally {
      silent.close();
      await saveRuntimeEntry(host, port, before);
    }
  });

  it.runIf(process.platform === "linux" && process.env["DOCKER_HOST"]?.startsWith("tcp:") !== true)(
    "is found where Docker's bridge is on this machine",
    async () => {
      const { direct } = await entry();
      expect(direct?.port).toBe(8888);
      expect(await isAgentAt(direct as { host: string; port: number }, sandbox.container.token)).toBe(true);
    },
  );
});
