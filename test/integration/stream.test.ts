import { describe, expect, it } from "vitest";
import { type Execution, ExecutionError, type ExecutionEvent, KernelDiedError } from "ipybox";
import { verifies } from "../requirements.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of iterable) items.push(item);
  return items;
}

describe("a stream", () => {
  it("yields each line when it is printed, not later", async () => {
    verifies("STREAM-01");
    await using client = await sandbox.connect();
    const execution = client.submit(
      "import time\nfor i in range(5):\n    print(f'step {i} {time.time():.6f}')\n    time.sleep(0.2)",
    );
    const delays: number[] = [];
    const steps: string[] = [];
    for await (const chunk of execution.stream()) {
      const [, step, printedAt] = chunk.trim().split(" ");
      delays.push(Date.now() - Number(printedAt) * 1000);
      steps.push(step ?? "");
    }
    expect(steps).toEqual(["0", "1", "2", "3", "4"]);
    expect(Math.max(...delays)).toBeLessThan(50);
  });

  it("is one chunk for each print, also without a newline", async () => {
    verifies("STREAM-01");
    await using client = await sandbox.connect();
    const execution = client.submit("print('a', 'b')\nprint('c', end='')\nimport sys; sys.stdout.write('d')\nNone");
    expect(await collect(execution.stream())).toEqual(["a b\n", "c", "d"]);
  });

  it("leaves the aggregate to result(), which drains what no stream reads", async () => {
    verifies("STREAM-02");
    await using client = await sandbox.connect();
    const code = "for i in range(3): print('Processing step', i)";
    const streamed = client.submit(code);
    const chunks = await collect(streamed.stream());
    const text = "Processing step 0\nProcessing step 1\nProcessing step 2";
    expect(chunks.join("").trim()).toBe(text);
    expect((await streamed.result()).text).toBe(text);
    expect((await client.submit(code).result()).text).toBe(text);
  });

  it("can be read after the result, from what that has kept", async () => {
    verifies("STREAM-02");
    await using client = await sandbox.connect();
    const execution = client.submit("print('late'); 5");
    await execution.result();
    expect((await collect(execution.stream())).join("")).toBe("late\n5");
  });

  it("has the same events after the result as before it, but for the reply", async () => {
    verifies("STREAM-02", "STREAM-05");
    await using client = await sandbox.connect();
    const code = "display('shown')\nprint('printed')\n1 / 0";
    const eventsOf = async (execution: Execution): Promise<readonly ExecutionEvent[]> => {
      const events: ExecutionEvent[] = [];
      await rejection(
        (async () => {
          for await (const event of execution.events()) events.push(event);
        })(),
        ExecutionError,
      );
      return events
        .filter(({ type }) => type !== "execute_reply")
        .map((event) => (event.type === "error" ? { ...event, traceback: [event.traceback.join("\n")] } : event));
    };
    const live = await eventsOf(client.submit(code));
    expect(live.map(({ type }) => type)).toEqual(["display_data", "stream", "error"]);
    const past = client.submit(code);
    await past.result().catch(() => undefined);
    const kept = await eventsOf(past);
    // The cells' numbers differ.
    const plain = (events: readonly ExecutionEvent[]): string => JSON.stringify(events).replace(/In\[\d+\]|input-\d+-\w+/g, "In");
    expect(plain(kept)).toBe(plain(live));
  });

  it("has stdout, stderr, subprocesses and C code in the order of their writes", async () => {
    verifies("STREAM-03");
    await using client = await sandbox.connect();
    const code = [
      "import sys, os, ctypes, subprocess",
      "libc = ctypes.CDLL(None)",
      "for i in range(40):",
      "    print(f'p{i}', end=' ')",
      "    os.write(2, f'w{i} '.encode())",
      "    print(f'e{i}', end=' ', file=sys.stderr)",
      "    libc.write(1, f'c{i} '.encode(), len(f'c{i} '))",
      "    libc.printf(b'f%d ', i)",
      '    subprocess.run(f\'printf "s{i} "; printf "t{i} " >&2; printf "u{i} "\', shell=True)',
    ].join("\n");
    const execution = client.submit(code);
    const text = (await collect(execution.stream())).join("");
    const expected = Array.from({ length: 40 }, (_, i) => `p${i} w${i} e${i} c${i} f${i} s${i} t${i} u${i} `).join("");
    expect(text).toBe(expected);
    const { stdout, stderr } = await execution.result();
    expect(stdout).toBe(Array.from({ length: 40 }, (_, i) => `p${i} c${i} f${i} s${i} u${i} `).join(""));
    expect(stderr).toBe(Array.from({ length: 40 }, (_, i) => `w${i} e${i} t${i} `).join(""));
  });

  it("has a subprocess's 20 MB exactly", async () => {
    verifies("STREAM-03");
    await using client = await sandbox.connect();
    const result = await client.execute("!head -c 20000000 /dev/zero | tr '\\0' 'y'\nprint('end')", {
      maxOutputBytes: 30_000_000,
    });
    expect(result.stdout === `${"y".repeat(20_000_000)}end\n`).toBe(true);
  });

  it("interrupts the cell when its loop is left, and the kernel is ready for the next", async () => {
    verifies("STREAM-04");
    await using client = await sandbox.connect();
    const endless = "import time\nwhile True:\n    print('tick')\n    time.sleep(0.01)";
    for await (const chunk of client.submit(endless).stream()) {
      expect(chunk).toBe("tick\n");
      break;
    }
    expect((await client.execute("print('ready')")).text).toBe("ready");
    const thrown = new Error("out of the loop");
    const error = await rejection(
      (async () => {
        for await (const _ of client.submit(endless).stream()) throw thrown;
      })(),
      Error,
    );
    expect(error).toBe(thrown);
    expect((await client.execute("print('again')")).text).toBe("again");
  });

  it("lets the cell run on with onExit: detach", async () => {
    verifies("STREAM-04");
    await using client = await sandbox.connect();
    const execution = client.submit("import time\nprint('first')\ntime.sleep(0.1)\nprint('last')");
    for await (const _ of execution.stream({ onExit: "detach" })) break;
    expect((await execution.result()).text).toBe("first\nlast");
  });

  it("that is read slowly slows the cell and loses nothing", async () => {
    verifies("STREAM-02");
    await using client = await sandbox.connect();
    const execution = client.submit("import time\nstart = time.time()\nfor i in range(3000): print('z' * 9999)");
    let length = 0;
    let reads = 0;
    for await (const chunk of execution.stream()) {
      length += chunk.length;
      reads += 1;
      if (reads % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(length).toBe(30_000_000);
  });
});

describe("events", () => {
  it("are what a notebook would see", async () => {
    verifies("STREAM-05");
    await using client = await sandbox.connect();
    const code =
      "print('out')\nh = display('one', display_id=True)\nh.update('two')\nfrom IPython.display import clear_output\nclear_output(wait=True)\n41 + 1";
    const events = await collect(client.submit(code).events());
    expect(events.map((event) => event.type)).toEqual([
      "stream",
      "display_data",
      "update_display_data",
      "clear_output",
      "execute_result",
      "execute_reply",
    ] satisfies ExecutionEvent["type"][]);
    expect(events[0]).toEqual({ type: "stream", name: "stdout", text: "out\n" });
    expect(events[4]).toMatchObject({ data: { "text/plain": "42" } });
    expect(events[5]).toMatchObject({ status: "ok", execution_count: 1 });
  });
});

describe("what was printed before the end of a process", () => {
  it.each([
    ["os._exit", "import os\nprint('kept', end='')\nos._exit(7)", { reason: "exited", exitCode: 7, signal: null }],
    [
      "SIGKILL",
      "import os\nprint('kept', end='')\nos.kill(os.getpid(), 9)",
      { reason: "signalled", exitCode: null, signal: "SIGKILL" },
    ],
    [
      "SIGSEGV",
      "import ctypes\nprint('kept', end='')\nctypes.string_at(0)",
      { reason: "signalled", exitCode: null, signal: "SIGSEGV" },
    ],
    [
      "SIGKILL after C code",
      "import os\nos.write(1, b'kept')\nos.kill(os.getpid(), 9)",
      { reason: "signalled", signal: "SIGKILL" },
    ],
  ])("by %s is not lost", async (_, code, facts) => {
    verifies("STREAM-06");
    await using client = await sandbox.connect();
    const error = await rejection(client.execute(code), KernelDiedError);
    expect(error).toMatchObject(facts);
    expect(error.result.text).toBe("kept");
    const next = await client.execute("print('fresh')");
    expect(next).toMatchObject({ text: "fresh", freshKernel: true });
    expect((await client.execute("1")).freshKernel).toBe(false);
  });

  it.each([
    ["a stop", "import os, signal\nprint('kept', end='')\nos.kill(os.getpid(), signal.SIGSTOP)"],
    [
      "C code that keeps the GIL",
      "import ctypes, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\nprint('kept', end='')\nctypes.PyDLL(None).pause()",
    ],
  ])("by %s reaches the reader while the process hangs", async (_, code) => {
    verifies("STREAM-06");
    await using client = await sandbox.connect();
    const execution = client.submit(code);
    const chunks: string[] = [];
    const reading = (async () => {
      for await (const chunk of execution.stream()) chunks.push(chunk);
    })();
    await eventually(() => chunks.join("") === "kept");
    await execution.interrupt();
    await rejection(reading, KernelDiedError);
    expect((await client.execute("1 + 1")).freshKernel).toBe(true);
  });
});
