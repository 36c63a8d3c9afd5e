import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import {
  ExecutionClient,
  ExecutionError,
  ExecutionTimeoutError,
  type HostCallContext,
  KernelDiedError,
  type LateOutput,
} from "ipybox";
import { verifies } from "../requirements.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

/** Handlers that wait until they are told to go on, and note how they were left. */
class Gate {
  readonly started: number[] = [];
  readonly aborted: number[] = [];
  readonly #waiting: (() => void)[] = [];

  readonly wait = {
    input: z.object({ n: z.int().default(0) }),
    handler: async ({ n }: { n: number }, { signal }: HostCallContext): Promise<number> => {
      this.started.push(n);
      signal.addEventListener("abort", () => this.aborted.push(n));
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      return n;
    },
  } as const;

  open(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

const THREADS = "from concurrent.futures import ThreadPoolExecutor\nfrom host import wait\n";

describe("calls in parallel", () => {
  it("run all at once from 200 asyncio tasks, and from 100 threads", async () => {
    verifies("HOST-03");
    await using client = await sandbox.connect();
    const gate = new Gate();
    await client.expose({ wait: gate.wait });
    for (const [count, code] of [
      [
        200,
        "import asyncio\nfrom host.aio import wait\nawait asyncio.gather(*(wait(n) for n in range(200))) == list(range(200))",
      ],
      [100, `${THREADS}with ThreadPoolExecutor(100) as pool: same = list(pool.map(wait, range(100))) == list(range(100))\nsame`],
    ] as const) {
      const execution = client.submit(code);
      await eventually(() => gate.started.length === count);
      gate.open();
      expect((await execution.result()).text).toBe("True");
      gate.started.length = 0;
    }
  });

  it("from threads, tasks, loops of their own and the cell itself all get their own values", async () => {
    verifies("HOST-03");
    await using client = await sandbox.connect();
    await client.expose({
      twice: { input: z.object({ n: z.int() }), handler: async ({ n }) => (n % 3 === 0 ? 2 * n : delay(n % 7, 2 * n)) },
    });
    const { text } = await client.execute(`
import asyncio, threading
from host import twice
from host.aio import twice as atwice
wrong = []
def check(n, value):
    if value != 2 * n: wrong.append((n, value))
def in_thread(start):
    for n in range(start, start + 50): check(n, twice(n))
async def in_task(start):
    for n in range(start, start + 50): check(n, await atwice(n))
async def many(start): await asyncio.gather(*(in_task(start + 100 * i) for i in range(5)))
threads = [threading.Thread(target=in_thread, args=(1000 * i,)) for i in range(10)]
threads += [threading.Thread(target=lambda i=i: asyncio.run(many(10_000 * i))) for i in range(1, 4)]
for t in threads: t.start()
await many(100_000)
in_thread(200_000)
task = asyncio.create_task(many(300_000))
await asyncio.sleep(0)
in_thread(400_000)
await task
for t in threads: t.join()
wrong`);
    expect(text).toBe("[]");
  });

  it("do not hold up input(), nor input() them", async () => {
    verifies("HOST-03", "OUT-04");
    const { port } = sandbox.container;
    const gate = new Gate();
    await using client = await ExecutionClient.connect({
      port,
      onInput: async (prompt) => {
        await eventually(() => gate.started.length === 1);
        gate.open();
        return prompt;
      },
    });
    await client.expose({ wait: gate.wait });
    const { text } = await client.execute(
      `${THREADS}with ThreadPoolExecutor(2) as pool:\n    value = pool.submit(wait, 7)\n    answer = input('asked')\nanswer, value.result()`,
    );
    expect(text).toBe("('asked', 7)");
  });
});

describe("an interrupt", () => {
  const shapes = {
    "of the cell itself": "from host import wait\nwait(1)",
    "of a task": "from host.aio import wait\nawait wait(1)",
    "of threads that the cell waits for": `${THREADS}with ThreadPoolExecutor(3) as pool: list(pool.map(wait, [1, 1, 1]))`,
    "of tasks beside the cell's own":
      "import asyncio\nfrom host.aio import wait\nawait asyncio.gather(*(asyncio.create_task(wait(1)) for _ in range(3)))",
    "of a loop in a thread":
      "import asyncio, threading\nfrom host.aio import wait\nawait asyncio.to_thread(lambda: asyncio.run(wait(1)))",
  };
  it.each(Object.entries(shapes))("ends the calls %s: the handler's signal aborts, and the kernel goes on", async (_, code) => {
    verifies("HOST-03", "TIME-02");
    await using client = await sandbox.connect();
    const gate = new Gate();
    await client.expose({ wait: gate.wait });
    const execution = client.submit(code);
    const failed = rejection(execution.result(), ExecutionError);
    const expected = code.includes("3") || code.includes("[1, 1, 1]") ? 3 : 1;
    await eventually(() => gate.started.length === expected);
    await execution.interrupt();
    expect((await failed).errorName).toBe("KeyboardInterrupt");
    await eventually(() => gate.aborted.length === expected);
    gate.open();
    expect(await client.execute("40 + 2")).toMatchObject({ text: "42", freshKernel: false });
  });

  it("by a timeout does the same", async () => {
    verifies("HOST-03", "TIME-01");
    await using client = await sandbox.connect();
    const gate = new Gate();
    await client.expose({ wait: gate.wait });
    const error = await rejection(
      client.execute("a = 5\nfrom host import wait\nwait(1)", { timeoutMs: 300 }),
      ExecutionTimeoutError,
    );
    expect(error.stateLost).toBe(false);
    await eventually(() => gate.aborted.length === 1);
    expect((await client.execute("a")).text).toBe("5");
  });

  it("leaves calls of background threads of earlier cells alone", async () => {
    verifies("HOST-03");
    await using client = await sandbox.connect();
    const gate = new Gate();
    await client.expose({ wait: gate.wait });
    await client.execute(`${THREADS}pool = ThreadPoolExecutor(1)\nvalue = pool.submit(wait, 7)`);
    const execution = client.submit("while True: pass");
    const failed = rejection(execution.result(), ExecutionError);
    await eventually(() => gate.started.length === 1);
    await execution.interrupt();
    await failed;
    gate.open();
    expect((await client.execute("value.result()")).text).toBe("7");
    expect(gate.aborted).toEqual([]);
  });
});

describe("a call that is given up", () => {
  it("by its asyncio task is cancelled in the host program, and no other", async () => {
    verifies("HOST-03");
    await using client = await sandbox.connect();
    const gate = new Gate();
    await client.expose({ wait: gate.wait });
    const execution = client.submit(
      "import asyncio\nfrom host.aio import wait\nkept = asyncio.create_task(wait(1))\ntry: await asyncio.wait_for(wait(2), 0.1)\nexcept TimeoutError: print('late')\nawait kept",
    );
    await eventually(() => gate.aborted.length === 1);
    expect(gate.aborted).toEqual([2]);
    gate.open();
    expect((await execution.result()).text).toBe("late\n1");
  });

  it.each(["import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "import os; os._exit(3)"])(
    "by its kernel's death aborts: %s",
    async (death) => {
      verifies("HOST-03", "KERN-05");
      await using client = await sandbox.connect();
      const gate = new Gate();
      await client.expose({ wait: gate.wait });
      const execution = client.submit(
        `${THREADS}import time\npool = ThreadPoolExecutor(1)\n_ = pool.submit(wait, 1)\ntime.sleep(0.2)\n${death}`,
      );
      await rejection(execution.result(), KernelDiedError);
      await eventually(() => gate.aborted.length === 1);
      expect((await client.execute("from host import wait\n1")).freshKernel).toBe(true);
    },
  );

  it("by a reset, or by the client's leave, aborts", async () => {
    verifies("HOST-03", "KERN-02");
    const client = await sandbox.connect();
    const gate = new Gate();
    await client.expose({ wait: gate.wait });
    const running = client.submit("from host import wait\nwait(1)");
    const failed = rejection(running.result(), KernelDiedError);
    await eventually(() => gate.started.length === 1);
    await client.reset();
    await failed;
    expect(gate.aborted).toEqual([1]);
    client
      .submit("from host import wait\nwait(2)")
      .result()
      .catch(() => undefined);
    await eventually(() => gate.started.length === 2);
    await client.disconnect();
    expect(gate.aborted).toEqual([1, 2]);
  });
});

describe("calls after their cell has ended", () => {
  it("work from threads and tasks between cells and during others, and belong to the cell that started them", async () => {
    verifies("HOST-03", "OUT-06");
    await using client = await sandbox.connect();
    const callers: string[] = [];
    const late: LateOutput[] = [];
    client.on("lateOutput", (output) => late.push(output));
    await client.expose({
      tick: {
        input: z.object({ n: z.int() }),
        handler: async ({ n }, { executionId }) => (callers.push(executionId), delay(5, n)),
      },
    });
    const starter = client.submit(`
import asyncio, threading, time
from host import tick
from host.aio import tick as atick
ticks = []
def in_thread():
    for n in range(30): ticks.append(tick(n)); time.sleep(0.005)
    print('thread done')
async def in_task():
    for n in range(100, 130): ticks.append(await atick(n)); await asyncio.sleep(0.005)
    print('task done')
thread = threading.Thread(target=in_thread); thread.start()
task = asyncio.create_task(in_task())
await asyncio.sleep(0)`);
    await starter.result();
    for (let round = 0; round < 10; round += 1) expect((await client.execute(`tick(${round})`)).text).toBe(String(round));
    await eventually(() => late.length === 2);
    expect((await client.execute("thread.join()\nawait task\nsorted(ticks) == [*range(30), *range(100, 130)]")).text).toBe(
      "True",
    );
    expect(callers.filter((id) => id === starter.id)).toHaveLength(60);
    expect(callers).toHaveLength(70);
  });

  it("don't keep the kernel from forking, and stay with their own kernel", async () => {
    verifies("HOST-03", "KERN-03");
    await using client = await sandbox.connect();
    const gate = new Gate();
    await client.expose({ wait: gate.wait });
    await client.execute(`${THREADS}pool = ThreadPoolExecutor(2)\nvalues = [pool.submit(wait, n) for n in (1, 2)]`);
    await eventually(() => gate.started.length === 2);
    await using fork = await client.fork();
    const inFork = fork.submit("wait(3)");
    await eventually(() => gate.started.length === 3);
    gate.open();
    expect((await inFork.result()).text).toBe("3");
    expect((await client.execute("[value.result() for value in values]")).text).toBe("[1, 2]");
    expect((await fork.execute("values[0].done()")).text).toBe("False");
    expect(gate.aborted).toEqual([]);
  });
});

describe("calls of a client that is not there", () => {
  async function attached(): Promise<{ owner: ExecutionClient; guest: ExecutionClient }> {
    const owner = await sandbox.connect();
    const guest = await ExecutionClient.attach({ port: sandbox.container.port, kernelId: owner.kernelId });
    return { owner, guest };
  }

  it("raise an error when it has left, those that wait and those to come", async () => {
    verifies("HOST-01", "KERN-09");
    const { owner, guest } = await attached();
    await using _ = owner;
    const gate = new Gate();
    await guest.expose({ wait: gate.wait });
    const waiting = owner.submit("from host import wait\nwait(1)");
    const failed = rejection(waiting.result(), ExecutionError);
    await eventually(() => gate.started.length === 1);
    await guest.disconnect();
    expect((await failed).message).toBe(
      "HostUnavailableError: wait can't be called: the program that has exposed it has disconnected",
    );
    expect((await rejection(owner.execute("wait(1)"), ExecutionError)).errorName).toBe("HostUnavailableError");
    await owner.reset();
    expect((await rejection(owner.execute("from host import wait"), ExecutionError)).errorName).toBe("ModuleNotFoundError");
  });

  it("go to the client that has exposed last, and only to that", async () => {
    verifies("HOST-01", "KERN-09");
    const { owner, guest } = await attached();
    await using first = owner;
    await using second = guest;
    const answered: string[] = [];
    await first.expose({ who: { handler: () => (answered.push("owner"), "owner") }, only: { handler: () => "owner's" } });
    await second.expose({ who: { handler: () => (answered.push("guest"), "guest") } });
    expect((await first.execute("from host import who\nfrom ipybox_kernel.host import call\nwho(), call('only', {})")).text).toBe(
      "('guest', \"owner's\")",
    );
    expect(answered).toEqual(["guest"]);
  });
});
