import { describe, expect, it } from "vitest";
import {
  ContainerDiedError,
  ExecutionClient,
  ExecutionContainer,
  ExecutionTimeoutError,
  IpyboxError,
  KernelDiedError,
} from "ipybox";
import { DockerEngine } from "../../src/engine/docker/docker-engine.ts";
import { verifies } from "../requirements.ts";
import { eventually, rejection, settled, useContainer } from "./sandbox.ts";

const MIB = 1024 * 1024;
const sandbox = useContainer({ memoryBytes: 512 * MIB });

describe("a kernel that dies", () => {
  it.each([
    ["import os; os._exit(1)", { reason: "exited", exitCode: 1, signal: null }],
    ["import os; os._exit(0)", { reason: "exited", exitCode: 0, signal: null }],
    ["import ctypes; ctypes.string_at(0)", { reason: "signalled", exitCode: null, signal: "SIGSEGV" }],
    ["import os; os.kill(os.getpid(), 9)", { reason: "signalled", exitCode: null, signal: "SIGKILL" }],
    ["import os; os.abort()", { reason: "signalled", exitCode: null, signal: "SIGABRT" }],
    ["import os, signal; os.kill(os.getpid(), signal.SIGTERM)", { reason: "signalled", exitCode: null, signal: "SIGTERM" }],
  ])("by %j ends the call within a second, with all output; the next call runs in a fresh one", async (code, death) => {
    verifies("KERN-05", "STREAM-06");
    await using client = await sandbox.connect();
    await client.execute("x = 1");
    const startedAt = performance.now();
    const error = await rejection(client.execute(`print('before')\n${code}`), KernelDiedError);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(error).toMatchObject({ ...death, stateLost: true });
    expect(error.result.text).toBe("before");
    const next = await client.execute("'x' in globals()");
    expect(next.text).toBe("False");
    expect(next.freshKernel).toBe(true);
    expect((await client.execute("1")).freshKernel).toBe(false);
  });

  it("between cells is told by the next result", async () => {
    verifies("KERN-05");
    await using client = await sandbox.connect();
    await client.execute("import os, threading, time\nthreading.Thread(target=lambda: (time.sleep(0.05), os._exit(3))).start()");
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await client.execute("1")).freshKernel).toBe(true);
  });

  it("leaves what waits to its successor", async () => {
    verifies("KERN-05");
    await using client = await sandbox.connect();
    const first = client.submit("import os; os._exit(1)");
    const second = client.submit("print('second')");
    await rejection(first.result(), KernelDiedError);
    expect(await second.result()).toMatchObject({ text: "second", freshKernel: true });
  });
});

describe("a kernel that runs out of memory", () => {
  it("is told apart from one that is killed, with limit and peak; others survive", async () => {
    verifies("KERN-06", "KERN-05");
    await using neighbour = await sandbox.connect();
    await neighbour.execute("kept = 'yes'");
    for (let round = 0; round < 5; round += 1) {
      await using client = await sandbox.connect();
      const error = await rejection(
        client.execute("print('eating')\nfood = []\nwhile True: food.append(bytearray(16 * 1024 * 1024))"),
        KernelDiedError,
      );
      expect(error).toMatchObject({ reason: "oom", limitBytes: 512 * MIB });
      expect(error.peakBytes).toBeGreaterThan(400 * MIB);
      expect(error.result.text).toBe("eating");
      const killed = await rejection(client.execute("import os; os.kill(os.getpid(), 9)"), KernelDiedError);
      expect(killed.reason).toBe("signalled");
    }
    expect(await neighbour.execute("kept")).toMatchObject({ text: "'yes'", freshKernel: false });
  });
});

describe("a subprocess that runs out of memory", () => {
  const EATS = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'x = b\"x\" * (900 << 20)']).returncode";

  it("does not make what ends later look as if it had", async () => {
    verifies("KERN-06", "KERN-05");
    await using client = await sandbox.connect();
    expect((await client.execute(EATS)).text).toBe("-9");
    const killed = await rejection(client.execute("import os; os.kill(os.getpid(), 9)"), KernelDiedError);
    expect(killed.reason).toBe("signalled");
    await using stubborn = await sandbox.connect();
    const cell = `${EATS}\nimport signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('on', flush=True)\nwhile True: pass`;
    const execution = stubborn.submit(cell);
    for await (const text of execution.stream({ onExit: "detach" })) if (text.includes("on")) break;
    const ended = rejection(execution.result(), KernelDiedError);
    await execution.interrupt();
    expect(await ended).toMatchObject({ reason: "signalled", signal: "SIGKILL" });
  });
});

describe("a process that does not get ready in time", () => {
  it("is ended, and those after it start", async () => {
    verifies("KERN-05", "TIME-05");
    await using client = await sandbox.connect();
    await client.execute(
      "import os, site\npath = os.path.join(site.getsitepackages()[0], 'slow.pth')\n_ = open(path, 'w').write('import time; time.sleep(1000)\\n')",
    );
    const count = async (): Promise<number> => Number((await client.execute("!ls /proc | grep -c '^[0-9]'")).text);
    const before = await settled(count);
    const { port, token } = sandbox.container;
    const late = await rejection(ExecutionClient.connect({ port, token, connectTimeoutMs: 20_000 }), IpyboxError);
    expect(late.code).toBe("kernel_start_failed");
    await client.execute("os.remove(path)");
    await eventually(async () => (await count()) === before);
    await using next = await sandbox.connect();
    expect((await next.execute("1 + 1")).text).toBe("2");
  }, 40_000);
});

describe("what can't be interrupted", () => {
  it.each([
    ["ignores SIGINT", "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('on')\nwhile True: pass"],
    [
      "swallows KeyboardInterrupt",
      "print('on')\nwhile True:\n    try:\n        while True: pass\n    except KeyboardInterrupt: pass",
    ],
    ["is C code that keeps the GIL", "import itertools\nprint('on')\nsum(itertools.repeat(0))"],
    ["stops itself", "import os, signal\nprint('on')\nos.kill(os.getpid(), signal.SIGSTOP)"],
    [
      "waits uninterruptibly in a subprocess of its own session",
      "import subprocess\nprint('on')\nimport signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})\nsubprocess.run(['setsid', 'sleep', '1000'])",
    ],
  ])("is ended when it %s: within timeout + 5 s, and the error says that the state is lost", async (_, code) => {
    verifies("TIME-03", "STREAM-06");
    await using client = await sandbox.connect();
    const startedAt = performance.now();
    const error = await rejection(client.execute(code, { timeoutMs: 300 }), ExecutionTimeoutError);
    expect(performance.now() - startedAt).toBeLessThan(5_300);
    expect(error.stateLost).toBe(true);
    expect(error.result.text).toBe("on");
    const next = await client.execute("print('next')");
    expect(next).toMatchObject({ text: "next", freshKernel: true });
  });
});

describe("a container that dies", () => {
  it.each([
    ["is killed", (container: ExecutionContainer) => container.kill()],
    ["is removed by somebody else", (container: ExecutionContainer) => new DockerEngine().remove(container.id)],
  ])("rejects calls within 2 s when it %s, and later ones at once", async (_name, end) => {
    verifies("KERN-07");
    await using container = await ExecutionContainer.create();
    await using client = await ExecutionClient.connect({ port: container.port });
    await using idle = await ExecutionClient.connect({ port: container.port });
    const execution = client.submit("import time\nprint('before')\ntime.sleep(100)");
    for await (const _ of execution.stream({ onExit: "detach" })) break;
    const failed = rejection(execution.result(), ContainerDiedError);
    const waiting = rejection(client.get("x"), ContainerDiedError);
    const startedAt = performance.now();
    void end(container);
    const error = await failed;
    expect(performance.now() - startedAt).toBeLessThan(2_500);
    expect(error.reason).toMatch(/it was removed|it ended with status|refuses connections/);
    expect(error.result?.text).toBe("before");
    await waiting;
    const again = performance.now();
    await rejection(client.execute("1"), ContainerDiedError);
    expect(performance.now() - again).toBeLessThan(100);
    await rejection(idle.execute("1"), ContainerDiedError);
  });
});
