import { describe, expect, it } from "vitest";
import type { LateOutput } from "ipybox";
import { verifies } from "../requirements.ts";
import { eventually, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

function texts(late: readonly LateOutput[], id?: string): string {
  return late
    .filter(({ executionId }) => id === undefined || executionId === id)
    .map(({ event }) => (event.type === "stream" ? event.text : `[${event.type}]`))
    .join("");
}

describe("output after its cell has ended", () => {
  it("of a thread belongs to the cell that started it, never to another", async () => {
    verifies("OUT-06");
    await using client = await sandbox.connect();
    const late: LateOutput[] = [];
    client.on("lateOutput", (output) => late.push(output));
    const starter = client.submit(
      "import threading\ngo = threading.Event()\ndef work():\n    go.wait()\n    for i in range(3): print('late', i)\n    display('shown late')\nthreading.Thread(target=work).start()\nprint('in time')",
    );
    expect((await starter.result()).text).toBe("in time");
    const other = await client.execute("go.set()\nimport time\nfor i in range(5): print('other'); time.sleep(0.02)");
    await eventually(() => texts(late).includes("[display_data]"));
    expect(other.text).toBe("other\nother\nother\nother\nother");
    expect(texts(late, starter.id)).toBe("late 0\nlate 1\nlate 2\n[display_data]");
    expect(late).toHaveLength(4);
  });

  it("of an asyncio task likewise, between cells", async () => {
    verifies("OUT-06", "EXEC-06");
    await using client = await sandbox.connect();
    const late: LateOutput[] = [];
    client.on("lateOutput", (output) => late.push(output));
    const starter = client.submit(
      "import asyncio\nasync def work():\n    for i in range(3):\n        await asyncio.sleep(0.02)\n        print('tick', i)\ntask = asyncio.create_task(work())\nawait asyncio.sleep(0)",
    );
    expect((await starter.result()).text).toBeNull();
    await eventually(() => texts(late, starter.id) === "tick 0\ntick 1\ntick 2\n");
    expect((await client.execute("task.done()")).text).toBe("True");
  });

  it("of a subprocess is late output, and whole characters however it is cut", async () => {
    verifies("OUT-06");
    await using client = await sandbox.connect();
    const late: LateOutput[] = [];
    client.on("lateOutput", (output) => late.push(output));
    const starter = client.submit(
      "import subprocess\np = subprocess.Popen(['bash', '-c', r\"sleep 0.1; printf '\\xc3'; sleep 0.05; printf '\\xa9\\n'\"])",
    );
    expect((await starter.result()).text).toBeNull();
    await eventually(() => texts(late, starter.id) === "é\n");
  });

  it("is told outside of the connection: what a listener throws is an uncaught exception, and the kernel stays", async () => {
    verifies("OUT-06");
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    const uncaught = new Promise((resolve) => process.once("uncaughtException", resolve));
    try {
      await using client = await sandbox.connect();
      client.on("lateOutput", () => {
        throw new Error("the listener's own");
      });
      await client.execute("import threading\nthreading.Timer(0.05, print, ('late',)).start()");
      expect(await uncaught).toMatchObject({ message: "the listener's own" });
      expect((await client.execute("1")).text).toBe("1");
    } finally {
      for (const listener of others) process.on("uncaughtException", listener);
    }
  });

  it("is no longer told to a listener that was taken off", async () => {
    verifies("OUT-06");
    await using client = await sandbox.connect();
    const late: LateOutput[] = [];
    const listener = (output: LateOutput): void => void late.push(output);
    client.on("lateOutput", listener).off("lateOutput", listener);
    await client.execute(
      "import threading, time\nt = threading.Thread(target=lambda: (time.sleep(0.05), print('late')))\nt.start()",
    );
    await client.execute("t.join()");
    expect(late).toEqual([]);
  });

  it("from many threads at once loses nothing", async () => {
    verifies("OUT-06", "STREAM-03");
    await using client = await sandbox.connect();
    const code =
      "import threading\ndef work(n):\n    for i in range(500): print(f'{n}:{i}')\nthreads = [threading.Thread(target=work, args=(n,)) for n in range(8)]\n" +
      "for t in threads: t.start()\nfor i in range(500): print(f'main:{i}')\nfor t in threads: t.join()";
    const { stdout } = await client.execute(code);
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(4_500);
    for (const name of ["main", ...Array.from({ length: 8 }, (_, n) => String(n))]) {
      const own = lines.filter((line) => line.startsWith(`${name}:`));
      expect(own).toEqual(Array.from({ length: 500 }, (_, i) => `${name}:${i}`));
    }
  });
});
