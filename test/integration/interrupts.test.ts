import { describe, expect, it } from "vitest";
import { ExecutionClient, ExecutionError, IpyboxError, KernelDiedError } from "ipybox";
import { verifies } from "../requirements.ts";
import { rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

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
