import { createServer, type Server } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import {
  ContainerDiedError,
  ExecutionClient,
  ExecutionContainer,
  ExecutionError,
  ExecutionTimeoutError,
  IpyboxError,
  KernelDiedError,
} from "ipybox";
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

/** Prints when the cell awaits. */
const saysOn = "import asyncio\nasyncio.get_running_loop().call_soon(print, 'on')";

/** The error of a cell that is interrupted as soon as it has printed. */
async function interruptedOnceOn(client: ExecutionClient, cell: string): Promise<ExecutionError> {
  const execution = client.submit(cell);
  for await (const _ of execution.stream({ onExit: "detach" })) break;
  await execution.interrupt();
  return rejection(execution.result(), ExecutionError);
}

describe("interrupts", () => {
  it("raise KeyboardInterrupt in the cell", async () => {
    verifies("TIME-02");
    await using client = await sandbox.connect();
    const execution = client.submit("b = 1\nimport time\nprint('on')\ntime.sleep(60)");
    const caught = rejection(execution.result(), ExecutionError);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await execution.interrupt();
    expect((await caught).errorName).toBe("KeyboardInterrupt");
    expect((await client.execute("b")).text).toBe("1");
  });

  it("reach subprocesses and awaits", async () => {
    verifies("TIME-02");
    await using client = await sandbox.connect();
    for (const code of ["print('on')\n!sleep 60", "import asyncio\nprint('on')\nawait asyncio.sleep(60)"]) {
      const execution = client.submit(code);
      for await (const _ of execution.stream({ onExit: "detach" })) break;
      await execution.interrupt();
      expect((await rejection(execution.result(), ExecutionError)).errorName).toBe("KeyboardInterrupt");
    }
    expect((await client.execute("!cat /proc/[0-9]*/comm | grep -c '^sleep$'")).text).toBe("0");
  });

  it("end a cell whose kernel is just being started, and nothing hangs after that", async () => {
    verifies("TIME-02", "TIME-05");
    await using client = await sandbox.connect();
    for (let round = 0; round < 5; round += 1) {
      await rejection(client.execute("import os; os._exit(1)"), KernelDiedError);
      const stuck = client.submit("while True: pass");
      const failed = rejection(stuck.result(), IpyboxError);
      await new Promise((resolve) => setTimeout(resolve, round));
      await stuck.interrupt();
      await failed;
      expect((await client.execute("print('next')")).text).toBe("next");
    }
  });

  it("that come before the cell has begun end it as it begins", async () => {
    verifies("TIME-02");
    await using client = await sandbox.connect();
    for (let round = 0; round < 10; round += 1) {
      const execution = client.submit("import time\nn = 0\nwhile True: n += 1; time.sleep(0.01)");
      const failed = rejection(execution.result(), ExecutionError);
      await execution.interrupt();
      expect((await failed).errorName).toBe("KeyboardInterrupt");
      // Had it waited for the interrupt to be repeated, it would have gone round a hundred times.
      expect(Number((await client.execute("globals().pop('n', 0)")).text)).toBeLessThan(90);
    }
  });

  it("end a cell that awaits with one error, at the line that does", async () => {
    verifies("TIME-02");
    await using client = await sandbox.connect();
    for (const code of ["await asyncio.sleep(60)", "async def f():\n    await asyncio.sleep(60)\nawait f()"]) {
      const error = await interruptedOnceOn(client, `${saysOn}\n${code}`);
      expect(error.errorName).toBe("KeyboardInterrupt");
      expect(error.result.outputs.filter(({ kind }) => kind === "error")).toHaveLength(1);
      expect(error.traceback).toContain("await asyncio.sleep(60)");
      expect(error.traceback).not.toMatch(/CancelledError|base_events/);
    }
  });

  it("let a cell that awaits clean up, and end it after that", async () => {
    verifies("TIME-02");
    await using client = await sandbox.connect();
    const endings = [
      "    get_ipython().run_cell('pass')\n    print('clean')\n    raise",
      "    await asyncio.sleep(0)\n    print('clean')\n    raise",
      "    print('clean')",
    ];
    for (const ending of endings) {
      const cell = `${saysOn}\ntry:\n    await asyncio.sleep(60)\nexcept asyncio.CancelledError:\n${ending}`;
      const error = await interruptedOnceOn(client, cell);
      expect(error.errorName).toBe("KeyboardInterrupt");
      expect(error.result.text).toBe("on\nclean");
      expect(error.result.outputs.filter(({ kind }) => kind === "error")).toHaveLength(1);
    }
  });

  it("end a clean-up that does not end", async () => {
    verifies("TIME-02", "TIME-05");
    await using client = await sandbox.connect();
    const endings = [
      "    print('slow')\n    await asyncio.sleep(60)",
      "    print('slow')\n    while True:\n        try: await asyncio.sleep(60)\n        except asyncio.CancelledError: pass",
    ];
    for (const ending of endings) {
      const cell = `a = 1\n${saysOn}\ntry:\n    await asyncio.sleep(60)\nexcept asyncio.CancelledError:\n${ending}`;
      const error = await interruptedOnceOn(client, cell);
      expect(error.errorName).toBe("KeyboardInterrupt");
      expect(error.result.text).toBe("on\nslow");
      expect((await client.execute("a")).text).toBe("1");
    }
  });

  it("end what an event loop calls, though it is no Python code", async () => {
    verifies("TIME-02", "TIME-05");
    await using client = await sandbox.connect();
    await client.execute(
      "import asyncio, time\na = 1\nasync def f():\n    loop = asyncio.get_running_loop()\n    loop.call_soon(print, 'on')\n" +
        "    loop.call_soon(time.sleep, 60)\n    await asyncio.sleep(60)",
    );
    for (const cell of ["await f()", "asyncio.run(f())"]) {
      const execution = client.submit(cell);
      for await (const _ of execution.stream({ onExit: "detach" })) break;
      await execution.interrupt();
      expect((await rejection(execution.result(), ExecutionError)).errorName).toBe("KeyboardInterrupt");
      expect((await client.execute("a")).text).toBe("1");
    }
  });

  it("end a cell whose command is read, or that is in a callback of IPython's", async () => {
    verifies("TIME-02");
    await using client = await sandbox.connect();
    const slow =
      "import time\ndef slow(*_):\n    print('on')\n    time.sleep(60)\nget_ipython().events.register('pre_run_cell', slow)";
    for (const [setUp, cell] of [
      ["pass", "print('on')\nx = !sleep 60\nprint('not this')"],
      [slow, "print('not this')"],
    ] as const) {
      await client.execute(setUp);
      const error = await interruptedOnceOn(client, cell);
      expect(error.errorName).toBe("KeyboardInterrupt");
      expect(error.result.text).toBe("on");
    }
  });

  it("that Python drops, since they come in a finalizer, end the cell all the same", async () => {
    verifies("TIME-02", "TIME-05");
    await using client = await sandbox.connect();
    await client.execute(
      "import time\nclass Slow:\n    def __del__(self):\n        global n\n        n += 1\n        time.sleep(0.1)",
    );
    for (let round = 0; round < 5; round += 1) {
      const error = await interruptedOnceOn(client, "n = 0\nprint('on')\nwhile True: Slow()");
      expect(error.errorName).toBe("KeyboardInterrupt");
      expect(error.result.outputs.map(({ kind }) => kind)).toEqual(["stream", "error"]);
      // Had it waited for the interrupt to be repeated, it would have gone round fifteen times.
      expect(Number((await client.execute("n")).text)).toBeLessThan(10);
    }
  });

  it("that come in numbers never end the kernel", async () => {
    verifies("TIME-02", "KERN-12");
    await using client = await sandbox.connect();
    await client.execute(
      "import os, signal, threading\nkept = 7\ndef shower():\n    for _ in range(3000): os.kill(os.getpid(), signal.SIGINT)",
    );
    for (let round = 0; round < 20; round += 1) {
      const cell = client.execute("threading.Thread(target=shower).start()\nwhile True: pass");
      expect((await rejection(cell, ExecutionError)).errorName).toBe("KeyboardInterrupt");
    }
    for (;;) {
      // The rest of the last shower may hit a cell.
      const result = await client.execute("threading.active_count(), kept").catch(() => undefined);
      if (result === undefined) continue;
      expect(result).toMatchObject({ freshKernel: false, text: expect.stringContaining("7") as string });
      break;
    }
  });

  it("keep the state when a reader is slow to take what the cell has printed", async () => {
    verifies("TIME-02", "TIME-04");
    await using client = await sandbox.connect();
    let interrupted = false;
    const execution = client.submit("a = 5\nwhile True: print('x' * 10_000)");
    const failed = rejection(
      (async () => {
        for await (const _ of execution.events()) {
          if (interrupted) continue;
          interrupted = true;
          await new Promise((resolve) => setTimeout(resolve, 1_000)); // all buffers are full
          void execution.interrupt();
          await new Promise((resolve) => setTimeout(resolve, 4_000)); // longer than the kernel has to react
        }
      })(),
      ExecutionError,
    );
    expect((await failed).errorName).toBe("KeyboardInterrupt");
    expect(await client.execute("a")).toMatchObject({ text: "5", freshKernel: false });
  });

  it("never hit a cell that they are not meant for", async () => {
    verifies("TIME-02");
    await using client = await sandbox.connect();
    for (let round = 0; round < 200; round += 1) {
      const execution = client.submit("pass");
      const next = client.submit("x = 1\nfor i in range(200): x += i\nprint('whole')");
      void execution.interrupt();
      await execution.result().catch((error: unknown) => {
        if (!(error instanceof IpyboxError)) throw error;
      });
      expect((await next.result()).text).toBe("whole");
    }
  });

  it("take a cell that waits from the queue", async () => {
    verifies("TIME-02");
    await using client = await sandbox.connect();
    const first = client.submit("import time; time.sleep(0.3); print('first')");
    const second = client.submit("second = True");
    await second.interrupt();
    expect((await rejection(second.result(), IpyboxError)).code).toBe("execution_aborted");
    expect((await first.result()).text).toBe("first");
    expect((await client.execute("'second' in globals()")).text).toBe("False");
  });

  it("come from an AbortSignal, whose reason the caller gets at once", async () => {
    verifies("TIME-02");
    await using client = await sandbox.connect();
    const controller = new AbortController();
    const running = rejection(client.execute("while True: pass", { signal: controller.signal }), Error);
    const reason = new Error("not needed any more");
    setTimeout(() => controller.abort(reason), 100);
    expect(await running).toBe(reason);
    expect((await client.execute("print('next')")).text).toBe("next");
    const aborted = rejection(client.execute("1", { signal: AbortSignal.abort() }), DOMException as never);
    expect((await aborted).name).toBe("AbortError");
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
