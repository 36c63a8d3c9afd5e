import { describe, expect, it } from "vitest";
import { ExecutionClient, ExecutionTimeoutError, IpyboxError } from "ipybox";
import { FaultyProxy } from "../fakes/faulty-proxy.ts";
import { verifies } from "../requirements.ts";
import { connectThroughProxy } from "./faults.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

const SLOW_LINES = "import time\nfor i in range(30):\n    print(i)\n    time.sleep(0.05)";
const SLOW_TEXT = Array.from({ length: 30 }, (_, i) => `${i}\n`).join("");

// Most of the time is spent waiting, and each test has a kernel and a connection of its own.
describe.concurrent("a line", () => {
  it("with 500 ms of latency loses nothing, even when it is cut", async () => {
    verifies("KERN-08");
    await using troubled = await connectThroughProxy(sandbox);
    const { client, proxy } = troubled;
    proxy.setLine({ latencyMs: 500, jitterMs: 200 });
    const chunks: string[] = [];
    const execution = client.submit(SLOW_LINES);
    for await (const chunk of execution.stream()) {
      chunks.push(chunk);
      if (chunks.length === 10) proxy.cut("reset");
    }
    expect(chunks.join("")).toBe(SLOW_TEXT);
    expect(await Promise.all([client.get("i"), client.execute("i").then(({ text }) => text)])).toEqual([29, "29"]);
  });

  it("that takes longer for a message than a dead one is waited for is not given up", async () => {
    verifies("KERN-08");
    await using troubled = await connectThroughProxy(sandbox);
    const { client, proxy } = troubled;
    proxy.setLine({ bytesPerSecond: 5_000 });
    const { stdout } = await client.execute("print('x' * 59_999)");
    expect(stdout === `${"x".repeat(59_999)}\n`).toBe(true);
    expect(proxy.connections).toBe(1);
  });

  it.each([["both ways"], ["up"], ["down"]] as const)("that swallows everything %s is noticed within 10 s", async (way) => {
    verifies("KERN-08");
    await using troubled = await connectThroughProxy(sandbox);
    const { client, proxy } = troubled;
    const running = client.submit(SLOW_LINES);
    for await (const _ of running.stream({ onExit: "detach" })) break;
    proxy.swallow(...(way === "both ways" ? (["up", "down"] as const) : [way]));
    const startedAt = performance.now();
    const next = client.submit("n = globals().get('n', 0) + 1; print(n)");
    await eventually(() => proxy.connections > 1, 13_000);
    // While a cell prints, the connection shows signs of life; then it is silent.
    expect(performance.now() - startedAt).toBeLessThan(way === "up" ? 12_500 : 10_000);
    proxy.heal();
    expect((await running.result()).stdout).toBe(SLOW_TEXT);
    expect((await next.result()).text).toBe("1");
  });

  it("that refuses for a moment is tried again", async () => {
    verifies("KERN-08");
    await using troubled = await connectThroughProxy(sandbox);
    const { client, proxy } = troubled;
    const execution = client.submit(SLOW_LINES);
    for await (const _ of execution.stream({ onExit: "detach" })) break;
    await proxy.refuse();
    proxy.cut("reset");
    await new Promise((resolve) => setTimeout(resolve, 400));
    await proxy.accept();
    expect((await execution.result()).stdout).toBe(SLOW_TEXT);
  });
});

describe.concurrent("while the connection is away", () => {
  it("a time limit settles what it was set for", async () => {
    verifies("TIME-05");
    await using troubled = await connectThroughProxy(sandbox);
    const { client, proxy } = troubled;
    const running = client.submit("import time\nprint('before')\ntime.sleep(60)", { timeoutMs: 1_000 });
    for await (const _ of running.stream({ onExit: "detach" })) break;
    proxy.swallow("up", "down");
    const startedAt = performance.now();
    await rejection(client.get("x", { timeoutMs: 500 }), ExecutionTimeoutError);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    const error = await rejection(running.result(), ExecutionTimeoutError);
    expect(performance.now() - startedAt).toBeLessThan(6_000);
    expect(error.result.text).toBe("before");
    // Once it is back, the cell is ended all the same.
    proxy.heal();
    expect((await client.execute("print('next')", { timeoutMs: 20_000 })).text).toBe("next");
  });

  it("a signal settles at once, and ends the cell when the connection is back", async () => {
    verifies("KERN-08", "TIME-02");
    await using troubled = await connectThroughProxy(sandbox);
    const { client, proxy } = troubled;
    const controller = new AbortController();
    const running = client.submit("print('on')\nwhile True: pass", { signal: controller.signal });
    for await (const _ of running.stream({ onExit: "detach" })) break;
    proxy.down("reset");
    const reason = new Error("not needed any more");
    controller.abort(reason);
    expect(await rejection(running.result(), Error)).toBe(reason);
    const next = client.submit("print('next')");
    proxy.heal();
    expect((await next.result({ timeoutMs: 10_000 })).text).toBe("next");
  });

  it("what was given up before it could be sent is not run", async () => {
    verifies("KERN-08", "TIME-02");
    await using troubled = await connectThroughProxy(sandbox);
    const { client, proxy } = troubled;
    await client.execute("ran = False");
    proxy.down("close");
    const controller = new AbortController();
    const given = client.submit("ran = True", { signal: controller.signal });
    controller.abort();
    await rejection(given.result(), Error);
    proxy.heal();
    expect(await client.get("ran")).toBe(false);
  });

  it("disconnect() tries for 2 s to have the kernel removed, and leaves nothing", async () => {
    verifies("KERN-08");
    await using troubled = await connectThroughProxy(sandbox);
    const { client, proxy } = troubled;
    const pending = client.submit("import time; time.sleep(60)");
    proxy.swallow("up", "down");
    proxy.cut("reset");
    await eventually(() => proxy.connections > 1);
    const startedAt = performance.now();
    await client.disconnect();
    expect((await rejection(pending.result(), IpyboxError)).code).toBe("disconnected");
    // The attempt that is under way is ended, too.
    await eventually(() => proxy.open === 0, 1_000);
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    const made = proxy.connections;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(proxy.connections).toBe(made);
  });

  it("for good, all calls reject after about 20 s, and later ones at once", async () => {
    verifies("KERN-08");
    await using troubled = await connectThroughProxy(sandbox);
    const { client, proxy } = troubled;
    const { kernelId } = client;
    const running = rejection(client.execute("import time; time.sleep(40)"), IpyboxError);
    const asked = rejection(client.get("x"), IpyboxError);
    const startedAt = performance.now();
    proxy.down("close");
    expect((await running).code).toBe("connection_lost");
    expect(performance.now() - startedAt).toBeGreaterThan(19_000);
    expect(performance.now() - startedAt).toBeLessThan(23_000);
    expect((await asked).code).toBe("connection_lost");
    expect((await rejection(client.execute("1"), IpyboxError)).code).toBe("connection_lost");
    await client.disconnect();
    // The kernel is still there, for the grace period.
    const { port, token } = sandbox.container;
    await using attached = await ExecutionClient.attach({ port, token, kernelId });
    expect((await attached.execute("print('still there')")).text).toBe("still there");
  });
});

describe.concurrent("a client that has vanished without a word", () => {
  it("holds up the output for others only for half a minute", async () => {
    verifies("KERN-08", "KERN-10");
    const { port, token } = sandbox.container;
    await using owner = await sandbox.connect();
    await using proxy = await FaultyProxy.before(port);
    const observer = await ExecutionClient.attach({ port: proxy.port, token, kernelId: owner.kernelId });
    // What goes to it piles up, and it can't come back.
    proxy.stall();
    await proxy.refuse();
    const startedAt = performance.now();
    const { totalBytes } = await owner.execute("for i in range(600): print('x' * 99_999)", { maxOutputBytes: 0 });
    expect(totalBytes).toBe(60_000_000);
    expect(performance.now() - startedAt).toBeGreaterThan(20_000);
    expect(performance.now() - startedAt).toBeLessThan(45_000);
    await observer.disconnect();
  });

  it("is looked for by TCP itself", async () => {
    verifies("KERN-10");
    await using client = await sandbox.connect();
    // State 01: established; timer 02: keep-alive.
    const { stdout } = await client.execute(
      "for line in open('/proc/net/tcp6').readlines()[1:]:\n    fields = line.split()\n" +
        "    if fields[1].endswith(':22B8') and fields[3] == '01': print(fields[5].split(':')[0])",
    );
    expect(stdout.trim().split("\n")).toContain("02");
  });
});

describe("an old connection that is half dead", () => {
  const LINES = 300_000;
  const PRINTS = `for i in range(${LINES}): print(f"{i:>50}")`;
  const TEXT = Array.from({ length: LINES }, (_, i) => `${String(i).padStart(50)}\n`).join("");

  it("holds up nothing for the new one", async () => {
    verifies("KERN-08");
    await using troubled = await connectThroughProxy(sandbox);
    const { client, proxy } = troubled;
    const execution = client.submit(PRINTS, { maxOutputBytes: 2 ** 25 });
    await eventually(() => proxy.hasSent(100_000));
    proxy.stall();
    proxy.cut("reset", ["client"]);
    const { stdout, lostBytes } = await execution.result();
    expect(lostBytes).toBe(0);
    expect(stdout === TEXT).toBe(true);
  });

  it("is given up by the client, and nothing is lost", async () => {
    verifies("KERN-08");
    await using troubled = await connectThroughProxy(sandbox);
    const { client, proxy } = troubled;
    const execution = client.submit(PRINTS, { maxOutputBytes: 2 ** 25 });
    await eventually(() => proxy.hasSent(100_000));
    proxy.stall();
    const startedAt = performance.now();
    await eventually(() => proxy.connections > 1, 12_000);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    const { stdout, lostBytes } = await execution.result();
    expect(lostBytes).toBe(0);
    expect(stdout === TEXT).toBe(true);
  });
});
