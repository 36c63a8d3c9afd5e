import { describe, expect, it } from "vitest";
import { ExecutionClient, ExecutionError, IpyboxError, KernelDiedError } from "ipybox";
import { HEADER_BYTES } from "../../src/protocol/frame.ts";
import { verifies } from "../requirements.ts";
import { connectThroughProxy, type Troubled } from "./faults.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

const KEEP = { maxOutputBytes: 2 ** 27, timeoutMs: 60_000 };
const WAIT_FOR_GO = "import os, time\nwhile not os.path.exists(GO): time.sleep(0.01)\n";

/** Lines of 200 bytes, more of them than the agent keeps. */
const LINES = 225_000;
const LINE_BYTES = 200;
const PRINT_LINES = `for i in range(${LINES}): print(f"{i:>${LINE_BYTES - 1}}")\n`;

/** While it is made, output goes nowhere. The cell waits for the file GO. */
async function whileAway({ client, proxy }: Troubled, go: string, marker: string): Promise<void> {
  const { port, token } = sandbox.container;
  await using other = await ExecutionClient.attach({ port, token, kernelId: client.kernelId });
  await using watcher = await sandbox.connect();
  proxy.down("reset");
  await watcher.execute(`open(${JSON.stringify(go)}, "w").close()`);
  await watcher.execute(`import os, time\nwhile not os.path.exists(${JSON.stringify(marker)}): time.sleep(0.01)`);
  await other.execute("pass", { timeoutMs: 60_000 });
  proxy.heal();
}

let used = 0;
/** Names of files that nobody has used: one that the cell waits for, one that it makes at its end. */
function signals(): { readonly go: string; readonly done: string; readonly wait: string; readonly tell: string } {
  used += 1;
  const [go, done] = [`/tmp/go-${used}`, `/tmp/done-${used}`];
  return {
    go,
    done,
    wait: WAIT_FOR_GO.replace("GO", JSON.stringify(go)),
    tell: `open(${JSON.stringify(done)}, "w").close()\n`,
  };
}

describe("output that is more than the agent keeps", () => {
  it("is counted to the byte, and its end is there", async () => {
    verifies("KERN-08");
    await using troubled = await connectThroughProxy(sandbox);
    const { go, done, wait, tell } = signals();
    const execution = troubled.client.submit(`print("start")\n${wait}${PRINT_LINES}${tell}`, KEEP);
    for await (const _ of execution.stream({ onExit: "detach" })) break;
    await whileAway(troubled, go, done);
    const { stdout, totalBytes, lostBytes, truncated } = await execution.result();
    expect(lostBytes).toBeGreaterThan(20 * 2 ** 20);
    expect(truncated).toBe(false);
    expect(totalBytes + lostBytes).toBe("start\n".length + LINES * LINE_BYTES);
    expect(Buffer.byteLength(stdout)).toBe(totalBytes);
    // The last 16 MiB of frames are there, without a gap.
    const kept = stdout.slice("start\n".length);
    const [first] = kept.split("\n", 1);
    const from = Number(first);
    expect(kept.length + HEADER_BYTES * (LINES - from)).toBeGreaterThan(15.9 * 2 ** 20);
    expect(kept).toBe(Array.from({ length: LINES - from }, (_, i) => `${String(from + i).padStart(LINE_BYTES - 1)}\n`).join(""));
  });

  it("is counted for each of the cells that gave it", async () => {
    verifies("KERN-08", "EXEC-10");
    await using troubled = await connectThroughProxy(sandbox);
    const { go, done, wait, tell } = signals();
    const { client } = troubled;
    const first = client.submit(`print("a")\n${wait}print("b" * 999_999)`, KEEP);
    const failed = client.submit("print('c' * 999_999); raise ValueError('kept')", KEEP);
    const second = client.submit(PRINT_LINES, KEEP);
    const third = client.submit(`print("d")\n${tell}`, KEEP);
    for await (const _ of first.stream({ onExit: "detach" })) break;
    await whileAway(troubled, go, done);
    expect(await first.result()).toMatchObject({ stdout: "a\n", totalBytes: 2, lostBytes: 1_000_000 });
    const error = await rejection(failed.result(), ExecutionError);
    expect(error).toMatchObject({ errorName: "ValueError", errorValue: "kept", result: { totalBytes: 0 } });
    expect(error.result.lostBytes).toBeGreaterThanOrEqual(1_000_000);
    const { totalBytes, lostBytes } = await second.result();
    expect(totalBytes + lostBytes).toBe(LINES * LINE_BYTES);
    expect(await third.result()).toMatchObject({ stdout: "d\n", lostBytes: 0 });
  });

  it("is counted, too, when it was shown, and what is half gone is no part of the result", async () => {
    verifies("KERN-08");
    await using troubled = await connectThroughProxy(sandbox);
    const { go, done, wait, tell } = signals();
    const shows = "for i in range(40): display({'application/x-test': bytes([i]) * 1_000_000}, raw=True)\n";
    const code = `display({'application/x-test': bytes(5_000_000)}, raw=True)\n${wait}${shows}${tell}`;
    const whole = await troubled.client.execute(code.replace(wait, ""), KEEP);
    await troubled.client.execute(`import os; os.remove(${JSON.stringify(done)})`);
    const execution = troubled.client.submit(code, KEEP);
    // It is cut in the middle of the first message.
    await eventually(() => troubled.proxy.hasSent(whole.totalBytes + 2_000_000));
    await whileAway(troubled, go, done);
    const { outputs, totalBytes, lostBytes } = await execution.result();
    expect(totalBytes + lostBytes).toBe(whole.totalBytes);
    expect(lostBytes).toBeGreaterThan(20_000_000);
    const shown = outputs.map((output) => (output.kind === "display" ? output.data["application/x-test"] : undefined));
    const last = shown.slice(-15);
    last.forEach((bytes, index) =>
      expect(Buffer.from(bytes as Uint8Array).equals(Buffer.alloc(1_000_000, 25 + index))).toBe(true),
    );
  });

  it.each([
    ["a failure", "raise KeyError('why')", ExecutionError, { errorName: "KeyError" }],
    [
      "a failure with a long traceback",
      "def f(n): return f(n - 1) if n else 1 / 0\nf(60)",
      ExecutionError,
      { errorName: "ZeroDivisionError" },
    ],
    ["a death", "import os; os._exit(3)", KernelDiedError, { reason: "exited", exitCode: 3 }],
  ] as const)("does not take with it the outcome of an earlier cell: %s", async (_, end, type, facts) => {
    verifies("KERN-08", "KERN-05");
    await using troubled = await connectThroughProxy(sandbox);
    const { go, done, wait, tell } = signals();
    const early = troubled.client.submit(`print("early")\n${wait}${end}`);
    const late = troubled.client.submit(`${PRINT_LINES}${tell}`);
    for await (const _ of early.stream({ onExit: "detach" })) break;
    await whileAway(troubled, go, done);
    const error = await rejection(early.result(), type as never);
    expect(error).toMatchObject({ ...facts, result: { text: "early" } });
    expect((await late.result()).lostBytes).toBeGreaterThan(0);
  });

  it("does not take with it short answers to questions; long ones are told to be lost", async () => {
    verifies("KERN-08");
    await using troubled = await connectThroughProxy(sandbox);
    const { go, done, wait, tell } = signals();
    const { client } = troubled;
    await client.execute("short, long = 'x' * 1_000, bytes(4_000_000)");
    const running = client.submit(`print("on")\n${wait}`);
    for await (const _ of running.stream({ onExit: "detach" })) break;
    const [short, long] = [client.get("short"), rejection(client.get("long"), IpyboxError)];
    const late = client.submit(`${PRINT_LINES}${tell}`);
    await whileAway(troubled, go, done);
    await running.result();
    expect(await short).toBe("x".repeat(1_000));
    expect((await long).code).toBe("output_lost");
    expect((await late.result()).lostBytes).toBeGreaterThan(0);
  });

  it("is counted for who reads the execution later", async () => {
    verifies("KERN-09");
    await using client = await sandbox.connect();
    const execution = client.submit(PRINT_LINES, { maxOutputBytes: 0 });
    await execution.result();
    const { totalBytes, lostBytes } = await client.executionById(execution.id).result();
    expect(totalBytes).toBeGreaterThan(14 * 2 ** 20);
    expect(totalBytes + lostBytes).toBe(LINES * LINE_BYTES);
    const later = await client.executionById(execution.id, { fromSequence: execution.lastSequence }).result();
    expect(later).toMatchObject({ totalBytes: 0, lostBytes: 0 });
  });
});
