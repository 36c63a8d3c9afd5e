import { createServer, type Server } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { ContainerDiedError, ExecutionClient, ExecutionContainer, ExecutionTimeoutError, IpyboxError } from "ipybox";
import { verifies } from "../requirements.ts";
import { rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

describe("timeoutMs", () => {
  it("interrupts the cell and keeps output and state", async () => {
    verifies("TIME-01");
    await using client = await sandbox.connect();
    const startedAt = performance.now();
    const error = await rejection(
      client.execute("a = 5\nprint('so far')\nwhile True: pass", { timeoutMs: 1_000 }),
      ExecutionTimeoutError,
    );
    expect(performance.now() - startedAt).toBeLessThan(1_300);
    expect(error.stateLost).toBe(false);
    expect(error.result.text).toBe("so far");
    expect((await client.execute("print(a)")).text).toBe("5");
  });

  it("interrupts also after a cell that has set a handler of its own, which ends with it", async () => {
    verifies("TIME-01");
    await using client = await sandbox.connect();
    await client.execute("import signal\na = 5\nsignal.signal(signal.SIGINT, signal.SIG_IGN);");
    const error = await rejection(client.execute("while True: pass", { timeoutMs: 300 }), ExecutionTimeoutError);
    expect(error.stateLost).toBe(false);
    expect((await client.execute("a")).text).toBe("5");
  });

  it("can be given to stream()", async () => {
    verifies("TIME-01");
    await using client = await sandbox.connect();
    const execution = client.submit("import time\nprint('one')\ntime.sleep(60)");
    const chunks: string[] = [];
    await rejection(
      (async () => {
        for await (const chunk of execution.stream({ timeoutMs: 300 })) chunks.push(chunk);
      })(),
      ExecutionTimeoutError,
    );
    expect(chunks).toEqual(["one\n"]);
  });

  it("does not count the time in the queue", async () => {
    verifies("TIME-01");
    await using client = await sandbox.connect();
    const first = client.submit("import time; time.sleep(1)");
    const second = client.submit("print('in time')", { timeoutMs: 500 });
    await first.result();
    expect((await second.result()).text).toBe("in time");
  });

  it("does not count the time that the reader takes", async () => {
    verifies("TIME-04");
    await using client = await sandbox.connect();
    const execution = client.submit("for i in range(30): print('x' * 1_000_000)", { timeoutMs: 2_000 });
    const startedAt = performance.now();
    let length = 0;
    for await (const chunk of execution.stream()) {
      length += chunk.length;
      // Slower than the cell may run in all.
      if (performance.now() - startedAt < 3_000) await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(length).toBe(30_000_030);
    expect(performance.now() - startedAt).toBeGreaterThan(2_500);
  });

  it("null is no limit", async () => {
    verifies("TIME-01");
    await using client = await sandbox.connect();
    expect((await client.execute("print('done')", { timeoutMs: null })).text).toBe("done");
  });

  it("ends what ignores interrupts, and says that the state is lost", async () => {
    verifies("TIME-01", "TIME-05");
    await using client = await sandbox.connect();
    const startedAt = performance.now();
    const stubborn = "print('x')\nwhile True:\n    try:\n        while True: pass\n    except KeyboardInterrupt: pass";
    const error = await rejection(client.execute(stubborn, { timeoutMs: 500 }), ExecutionTimeoutError);
    expect(performance.now() - startedAt).toBeLessThan(5_500);
    expect(error.stateLost).toBe(true);
    expect(error.result.text).toBe("x");
    expect((await client.execute("print('next')")).freshKernel).toBe(true);
  });
});

describe("connecting", () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.close();
  });

  async function listen(onConnection: Parameters<typeof createServer>[1]): Promise<number> {
    server = createServer(onConnection);
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port;
  }

  it("to a port that accepts and stays silent fails at the deadline", async () => {
    verifies("TIME-05");
    const port = await listen(() => undefined);
    const startedAt = performance.now();
    const error = await rejection(ExecutionClient.connect({ port, token: "t", connectTimeoutMs: 500 }), IpyboxError);
    expect(error.code).toBe("connect_failed");
    expect(error.message).toContain(`127.0.0.1:${port}`);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  it.each([
    ["closes at once", (socket: import("node:net").Socket) => socket.destroy()],
    ["answers nonsense", (socket: import("node:net").Socket) => socket.end("SSH-2.0-OpenSSH_9.6\r\n")],
    ["answers another page", (socket: import("node:net").Socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")],
  ])("to a port that %s fails", async (_, onConnection) => {
    verifies("TIME-05");
    const port = await listen(onConnection);
    const error = await rejection(ExecutionClient.connect({ port, token: "t", connectTimeoutMs: 3_000 }), IpyboxError);
    expect(error.code).toBe("connect_failed");
  });

  it("to a port where nothing listens says so", async () => {
    verifies("TIME-05");
    const port = await listen(() => undefined);
    await new Promise((resolve) => server?.close(resolve));
    const error = await rejection(ExecutionClient.connect({ port, token: "t" }), IpyboxError);
    expect(error.message).toContain("Nothing listens on");
  });

  it("without a token, or with a wrong one, is refused", async () => {
    verifies("TIME-05");
    const wrong = await rejection(ExecutionClient.connect({ port: sandbox.container.port, token: "wrong" }), IpyboxError);
    expect(wrong.code).toBe("unauthorized");
    const port = await listen(() => undefined);
    const missing = await rejection(ExecutionClient.connect({ port }), IpyboxError);
    expect(missing.code).toBe("unauthorized");
    expect(missing.message).toContain("container.token");
  });
});

describe("when container or connection go", () => {
  it("a running cell rejects within seconds, not at its timeout, and so do later calls", async () => {
    verifies("TIME-05");
    await using container = await ExecutionContainer.create();
    await using client = await ExecutionClient.connect({ port: container.port });
    const execution = client.submit("import time\nprint('before')\ntime.sleep(100)");
    for await (const _ of execution.stream({ onExit: "detach" })) break;
    const startedAt = performance.now();
    await container.kill();
    const error = await rejection(execution.result(), ContainerDiedError);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(error.result?.text).toBe("before");
    await rejection(client.execute("1"), ContainerDiedError);
  });
});

describe("a client that is misused", () => {
  it("says what is wrong", async () => {
    verifies("TIME-05");
    const { port, token } = sandbox.container;
    const client = new ExecutionClient({ port, token });
    expect((await rejection(client.execute("1"), IpyboxError)).message).toContain("not connected");
    await client.connect();
    await client.connect();
    for (const code of [undefined, null, 5, {}]) {
      const error = await rejection(client.execute(code as string), IpyboxError);
      expect(error).toMatchObject({
        code: "invalid_option",
        message: expect.stringContaining("code must be a string") as string,
      });
    }
    const options = [{ timeoutMs: -1 }, { timeoutMs: "5" }, { timeoutMs: 0 }, { timeout: 5 }, { maxOutputBytes: 1.5 }];
    for (const given of options) {
      const error = await rejection(client.execute("1", given as never), IpyboxError);
      expect(error.code).toBe("invalid_option");
      expect(error.message).toContain(Object.keys(given)[0]);
    }
    const pending = client.submit("import time; time.sleep(50)");
    await Promise.all([client.disconnect(), client.disconnect()]);
    expect((await rejection(pending.result(), IpyboxError)).code).toBe("disconnected");
    expect((await rejection(client.execute("1"), IpyboxError)).message).toContain("was disconnected");
    expect(() => client.kernelId).toThrow(IpyboxError);
  });
});
