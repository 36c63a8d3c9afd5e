import { describe, expect, it } from "vitest";
import { DEFAULTS, ExecutionContainer, ExecutionError, IpyboxError, KernelDiedError } from "ipybox";
import { verifies } from "../requirements.ts";
import { docker, inspect, ownContainers } from "./docker.ts";
import { rejection, useContainer } from "./sandbox.ts";

const MIB = 2 ** 20;

describe("limits that are given", () => {
  const limits = { memoryBytes: 256 * MIB, cpus: 0.5, pidsLimit: 64, shmBytes: 8 * MIB };
  const sandbox = useContainer(limits);

  it("show in docker inspect", async () => {
    verifies("CONT-11");
    expect((await inspect(sandbox.container.id))?.HostConfig).toMatchObject({
      Memory: limits.memoryBytes,
      MemorySwap: limits.memoryBytes,
      NanoCpus: 5e8,
      PidsLimit: 64,
      ShmSize: limits.shmBytes,
    });
  });

  it("end a cell that takes more memory, and no other", async () => {
    verifies("CONT-11", "KERN-06");
    await using neighbour = await sandbox.connect();
    await using client = await sandbox.connect();
    await neighbour.execute("x = 1");
    const error = await rejection(client.execute("print('before')\nx = b'x' * (1 << 30)"), KernelDiedError);
    expect(error).toMatchObject({ reason: "oom", limitBytes: limits.memoryBytes });
    expect(error.result.text).toBe("before");
    expect((await neighbour.execute("print(x)")).text).toBe("1");
    expect((await client.execute("len(b'x' * (64 << 20))")).text).toBe(String(64 * MIB));
  });

  it("give a cell half of a CPU's time", async () => {
    verifies("CONT-11");
    await using client = await sandbox.connect();
    const code = [
      "import time",
      "wall, cpu = time.monotonic(), time.process_time()",
      "while time.monotonic() - wall < 1.5: pass",
      "print((time.process_time() - cpu) / (time.monotonic() - wall))",
    ].join("\n");
    const share = Number((await client.execute(code)).text);
    expect(share).toBeGreaterThan(0.05);
    expect(share).toBeLessThan(0.65);
  });

  it("bound processes and threads", async () => {
    verifies("CONT-11");
    await using client = await sandbox.connect();
    const code = [
      "import subprocess",
      "started = []",
      "try:",
      "    for _ in range(100): started.append(subprocess.Popen(['/bin/sleep', '60']))",
      "except BlockingIOError: print('refused')",
      "finally:",
      "    for process in started: process.kill()",
      "    for process in started: process.wait()",
      "print(10 < len(started) < 64)",
    ].join("\n");
    expect((await client.execute(code)).text).toBe("refused\nTrue");
  });

  it("bound shared memory", async () => {
    verifies("CONT-11");
    await using client = await sandbox.connect();
    expect((await client.execute("open('/dev/shm/x', 'wb').write(b'x' * (4 << 20))")).text).toBe(String(4 * MIB));
    const error = await rejection(client.execute("open('/dev/shm/y', 'wb').write(b'x' * (8 << 20))"), ExecutionError);
    expect(error.message).toContain("No space left on device");
    await client.execute("import os; os.remove('/dev/shm/x'); os.remove('/dev/shm/y')");
  });
});

describe("limits that are left out", () => {
  const sandbox = useContainer();

  it("have safe defaults, which a smaller host makes smaller", async () => {
    verifies("CONT-11");
    const host = (await docker.info()) as { readonly MemTotal: number; readonly NCPU: number };
    const config = (await inspect(sandbox.container.id))?.HostConfig;
    expect(config?.Memory).toBe(Math.min(DEFAULTS.memoryBytes, host.MemTotal));
    expect(config?.MemorySwap).toBe(config?.Memory);
    expect(config?.NanoCpus).toBe(Math.min(DEFAULTS.cpus, host.NCPU) * 1e9);
    expect(config?.PidsLimit).toBe(DEFAULTS.pidsLimit);
    expect(config?.ShmSize).toBe(DEFAULTS.shmBytes);
    expect(config?.OomKillDisable ?? false).toBe(false);
  });
});

it("more CPUs than the host has are an error that says how many it has, and nothing is left", async () => {
  verifies("CONT-11");
  const host = (await docker.info()) as { readonly NCPU: number };
  const error = await rejection(ExecutionContainer.create({ cpus: host.NCPU + 1 }), IpyboxError);
  expect(error).toMatchObject({ code: "invalid_option", details: { field: "cpus", available: host.NCPU } });
  expect(await ownContainers()).toEqual([]);
});
