import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { ExecutionClient, ExecutionContainer, IpyboxError, KernelDiedError } from "ipybox";
import { FaultyProxy } from "../fakes/faulty-proxy.ts";
import { verifies } from "../requirements.ts";
import { connectThroughProxy } from "./faults.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

const GRACE_MS = 1_500;

/** Process ids of the kernels in the container, that of the watcher included. */
async function kernels(watcher: ExecutionClient): Promise<readonly string[]> {
  const { stdout } = await watcher.execute(
    "import os\nfor p in filter(str.isdigit, os.listdir('/proc')):\n" +
      "    try:\n        if os.stat(f'/proc/{p}').st_uid == os.getuid() and ') Z' not in open(f'/proc/{p}/stat').read(): print(p)\n" +
      "    except OSError: pass",
  );
  return stdout.trim().split("\n");
}

describe("a kernel is removed after its grace period, and not before,", () => {
  it("when the connection that created it was cut before it was made", async () => {
    verifies("KERN-10");
    await using watcher = await sandbox.connect();
    const { container } = sandbox;
    let most = 0;
    for (const bytes of [1, 60, 150, 250]) {
      await using proxy = await FaultyProxy.before(container.port);
      proxy.cutAfter(bytes, "down", "reset");
      const connecting = ExecutionClient.connect({ port: proxy.port, token: container.token, gracePeriodMs: GRACE_MS });
      await connecting.then(
        (client) => client.disconnect(),
        (error: unknown) => expect((error as IpyboxError).code).toBe("connect_failed"),
      );
      most = Math.max(most, (await kernels(watcher)).length);
    }
    expect(most).toBeGreaterThan(1);
    await eventually(async () => (await kernels(watcher)).length === 1, GRACE_MS + 3_000);
  });

  it("when its client had left while it was created", async () => {
    verifies("KERN-10");
    await using watcher = await sandbox.connect();
    const { port, token } = sandbox.container;
    const headers = [
      "Host: 127.0.0.1",
      `Authorization: Bearer ${token}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${Buffer.alloc(16).toString("base64")}`,
    ];
    const path = (id: number): string => `/v1/kernels/left-${String(id).padStart(8, "0")}?create=true&grace=${GRACE_MS}`;
    for (let id = 0; id < 10; id += 1) {
      const socket = connect(port, "127.0.0.1");
      await once(socket, "connect");
      socket.write(`GET ${path(id)} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`, () => socket.resetAndDestroy());
      await once(socket, "close");
    }
    await eventually(async () => (await kernels(watcher)).length > 5);
    await eventually(async () => (await kernels(watcher)).length === 1, GRACE_MS + 3_000);
  });

  it("when it is a fork that nobody has joined", async () => {
    verifies("KERN-10");
    await using watcher = await sandbox.connect();
    const { container } = sandbox;
    const proxy = await FaultyProxy.before(container.port);
    const client = await ExecutionClient.connect({ port: proxy.port, token: container.token, gracePeriodMs: GRACE_MS });
    // All connections but the first are lost, as if the process had ended right now.
    const forking = rejection(client.fork({ count: 3 }), IpyboxError);
    await proxy.refuse();
    await eventually(async () => (await kernels(watcher)).length === 5);
    await client.disconnect();
    await forking;
    await proxy[Symbol.asyncDispose]();
    await eventually(async () => (await kernels(watcher)).length === 1, GRACE_MS + 3_000);
  });

  it("when its client does not come back in time; before that, nothing happens to it", async () => {
    verifies("KERN-10", "KERN-08");
    await using troubled = await connectThroughProxy(sandbox, { gracePeriodMs: GRACE_MS });
    const { client, proxy } = troubled;
    await client.execute("x = 1");
    proxy.down("reset");
    await delay(GRACE_MS / 2);
    proxy.heal();
    expect((await client.execute("x")).text).toBe("1");
    const running = client.submit("import time; time.sleep(30)");
    proxy.down("reset");
    await delay(GRACE_MS * 1.5);
    proxy.heal();
    expect((await rejection(running.result(), IpyboxError)).code).toBe("kernel_not_found");
    expect((await rejection(client.execute("x"), IpyboxError)).code).toBe("kernel_not_found");
  });

  it("but not while another client is there", async () => {
    verifies("KERN-10");
    await using troubled = await connectThroughProxy(sandbox, { gracePeriodMs: GRACE_MS });
    const { client, proxy } = troubled;
    const { port, token } = sandbox.container;
    await client.execute("x = 1");
    const visitor = await ExecutionClient.attach({ port, token, kernelId: client.kernelId });
    proxy.down("reset");
    await delay(GRACE_MS * 1.5);
    expect((await visitor.execute("x")).text).toBe("1");
    await visitor.disconnect();
    await delay(GRACE_MS / 2);
    proxy.heal();
    expect((await client.execute("x")).text).toBe("1");
  });
});

describe("a client that leaves while its connection is down", () => {
  it("takes its kernel with it all the same, once it gets through", async () => {
    verifies("KERN-10");
    await using watcher = await sandbox.connect();
    await using troubled = await connectThroughProxy(sandbox, { gracePeriodMs: 600_000 });
    const { client, proxy } = troubled;
    await client.execute("x = 1");
    // That of the test before may take a moment to be gone.
    await eventually(async () => (await kernels(watcher)).length === 2);
    proxy.down("reset");
    await delay(300); // it tries to come back
    const leaving = client.disconnect();
    proxy.heal();
    await leaving;
    await eventually(async () => (await kernels(watcher)).length === 1);
  });

  it("leaves at its deadline when it does not get through", async () => {
    verifies("TIME-05");
    await using troubled = await connectThroughProxy(sandbox, { gracePeriodMs: GRACE_MS });
    const { client, proxy } = troubled;
    proxy.swallow("up", "down");
    proxy.cut("reset");
    await delay(300);
    const startedAt = performance.now();
    await client.disconnect();
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});

describe("a kernel with idleTimeoutMs", () => {
  it("stays for that time after a reset that has ended a long cell", async () => {
    verifies("KERN-11", "KERN-02");
    const { port, token } = sandbox.container;
    await using client = await ExecutionClient.connect({ port, token, idleTimeoutMs: 1_500 });
    const running = client.submit("import time\nprint('on')\ntime.sleep(60)");
    for await (const _ of running.stream({ onExit: "detach" })) break;
    await delay(2_500);
    await client.reset();
    await rejection(running.result(), KernelDiedError);
    await delay(700);
    expect((await client.execute("print('still here')")).text).toBe("still here");
  });
});

describe("a container with idleTimeoutMs", () => {
  it("stays for that time after the last cell, also when its kernel is gone", async () => {
    verifies("KERN-11");
    await using container = await ExecutionContainer.create({ idleTimeoutMs: 3_000 });
    const { port } = container;
    for (let round = 0; round < 4; round += 1) {
      await using client = await ExecutionClient.connect({ port });
      expect((await client.execute("import time; time.sleep(1.1); print('here')")).text).toBe("here");
    }
    await delay(2_000);
    await using client = await ExecutionClient.connect({ port });
    expect((await client.execute("print('still here')")).text).toBe("still here");
  });
});

describe("a time that is longer than a timer takes", () => {
  it("lets nothing end, and nothing fail, before it", async () => {
    verifies("KERN-10", "TIME-05");
    const long = Number.MAX_SAFE_INTEGER;
    await using container = await ExecutionContainer.create({ startTimeoutMs: long, idleTimeoutMs: long });
    await using proxy = await FaultyProxy.before(container.port);
    const { token, port } = container;
    const options = { token, connectTimeoutMs: long, gracePeriodMs: long, idleTimeoutMs: long };
    const client = await ExecutionClient.connect({ port: proxy.port, ...options });
    await client.execute("x = 5");
    const { kernelId } = client;
    proxy.down("reset");
    await delay(500);
    await using attached = await ExecutionClient.attach({ port, kernelId });
    expect((await attached.execute("x", { timeoutMs: long })).text).toBe("5");
    await client.disconnect();
  });
});
