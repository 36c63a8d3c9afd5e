import { describe, expect, it } from "vitest";
import { KernelDiedError, type LateOutput } from "ipybox";
import { verifies } from "../requirements.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

const TYPE = "application/x-test";
const SHOW = `def show(letter, size): display({"${TYPE}": letter * size}, raw=True)\n`;

describe("messages that are longer than a frame", () => {
  it("of several threads stay apart", async () => {
    verifies("OUT-01");
    await using client = await sandbox.connect();
    const { outputs } = await client.execute(
      `import threading\n${SHOW}def many(letter, size):\n    for _ in range(30): show(letter, size)\n` +
        `threads = [threading.Thread(target=many, args=pair) for pair in [(b"a", 5), (b"b", 200_000), (b"c", 400_000)]]\n` +
        `for thread in threads: thread.start()\nmany(b"d", 100_000)\nfor thread in threads: thread.join()`,
      { maxOutputBytes: 2 ** 26 },
    );
    const seen = new Map<string, number>();
    for (const output of outputs) {
      const text = output.kind === "display" ? Buffer.from(output.data[TYPE] as Uint8Array).toString() : "";
      const key = `${text[0] ?? ""} ${text.length} ${new Set(text).size}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    expect(Object.fromEntries(seen)).toEqual({ "a 5 1": 30, "b 200000 1": 30, "c 400000 1": 30, "d 100000 1": 30 });
  });

  it("count with all of their bytes", async () => {
    verifies("OUT-08");
    await using client = await sandbox.connect();
    const result = await client.execute(`${SHOW}show(b"x", 1_000_000); show(b"y", 1_000_000)`, { maxOutputBytes: 1_500_000 });
    expect(result.outputs).toHaveLength(1);
    expect(result.truncated).toBe(true);
    expect(result.totalBytes).toBeGreaterThan(2_000_000);
  });

  it("that are half sent when their process ends do not hide how it ended", async () => {
    verifies("KERN-05", "STREAM-06");
    await using client = await sandbox.connect();
    const code = `import os, threading\n${SHOW}threading.Timer(0.3, lambda: os._exit(7)).start()\nwhile True: show(b"x", 30_000_000)`;
    const error = await rejection(client.execute(code, { maxOutputBytes: 0 }), KernelDiedError);
    expect(error).toMatchObject({ reason: "exited", exitCode: 7 });
    expect((await client.execute("print('next')")).text).toBe("next");
  });

  it("come whole when they are late, too", async () => {
    verifies("OUT-06");
    await using client = await sandbox.connect();
    const late: LateOutput[] = [];
    client.on("lateOutput", (output) => late.push(output));
    await client.execute(`import threading\n${SHOW}threading.Timer(0.3, show, (b"z", 500_000)).start()`);
    await eventually(() => late.length > 0);
    const [output] = late;
    expect(output?.event.type === "display_data" && output.event.data[TYPE]).toEqual(new Uint8Array(500_000).fill(122));
  });
});

describe("a question", () => {
  it("is answered though nobody reads what a cell before it has given", async () => {
    verifies("OUT-09", "STREAM-02");
    await using client = await sandbox.connect();
    const unread = client.submit("for i in range(300): print('x' * 99_999)\ny = 5", { maxOutputBytes: 1_000 });
    expect(await client.get("y", { timeoutMs: 20_000 })).toBe(5);
    expect((await unread.result()).totalBytes).toBe(30_000_000);
  });
});
