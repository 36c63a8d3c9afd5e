import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ExecutionError } from "ipybox";
import { FaultyProxy } from "../fakes/faulty-proxy.ts";
import { Seeded } from "../seeded.ts";
import { verifies } from "../requirements.ts";
import { connectThroughProxy, type Troubled, whileCutting } from "./faults.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

const WAITER = fileURLToPath(new URL("../fixtures/waiter.ts", import.meta.url));

const sandbox = useContainer();

/** Cuts of each kind of work; all kinds together have more than 200. */
const CUTS = Number(process.env["CUTS"] ?? 30);

/** A cell's first line: it tells, outside of the kernel, that the cell has run. */
function leaveMark(name: string): string {
  return `with open("/tmp/marks", "a") as marks: marks.write("${name}\\n")\n`;
}

/** How often each of the cells has run that are named `prefix-…`. */
async function marks(prefix: string): Promise<ReadonlyMap<string, number>> {
  await using client = await sandbox.connect();
  const { stdout } = await client.execute("print(open('/tmp/marks').read(), end='')");
  const counts = new Map<string, number>();
  for (const name of stdout.split("\n").filter((line) => line.startsWith(`${prefix}-`))) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

/** Each of the cells has run once, and no other. */
async function expectRunOnce(prefix: string, rounds: number): Promise<void> {
  const expected = new Map(Array.from({ length: rounds }, (_, round) => [`${prefix}-${round}`, 1]));
  expect(await marks(prefix)).toEqual(expected);
}

/** Does the work with connections that are cut all the time. */
async function underCuts(
  options: { readonly maxBytes: number; readonly afterMs: number; readonly onInput?: (prompt: string) => Promise<string> },
  work: (troubled: Troubled, round: number) => Promise<void>,
): Promise<number> {
  const random = new Seeded();
  const { onInput } = options;
  return random.reporting(async () => {
    await using troubled = await connectThroughProxy(sandbox, { onInput }, random);
    return await whileCutting(troubled, CUTS, options, (round) => work(troubled, round));
  });
}

describe("connections that are cut at random points", () => {
  it("lose nothing of what cells print, and run each once", async () => {
    verifies("KERN-08");
    const rounds = await underCuts({ maxBytes: 400_000, afterMs: 1_000 }, async ({ client, random }, round) => {
      const lines = random.integer(1_000, 50_000);
      const code = `${leaveMark(`lines-${round}`)}for i in range(${lines}): print(f"{i} of ${round}: ä €")`;
      const execution = client.submit(code);
      let streamed: string | undefined;
      if (random.next() < 0.5) {
        const chunks: string[] = [];
        for await (const chunk of execution.stream()) chunks.push(chunk);
        streamed = chunks.join("");
      }
      const { stdout, lostBytes } = await execution.result();
      const expected = Array.from({ length: lines }, (_, i) => `${i} of ${round}: ä €\n`).join("");
      expect(stdout === expected).toBe(true);
      expect(streamed === undefined || streamed === expected).toBe(true);
      expect(lostBytes).toBe(0);
    });
    await expectRunOnce("lines", rounds);
  });

  it("lose nothing of what cells show", async () => {
    verifies("KERN-08");
    const rounds = await underCuts({ maxBytes: 1_000_000, afterMs: 500 }, async ({ client, random }, round) => {
      const sizes = Array.from({ length: 20 }, () => random.magnitude(1, 300_000));
      const { outputs } = await client.execute(
        `${leaveMark(`shown-${round}`)}for size in ${JSON.stringify(sizes)}:\n` +
          `    display({"application/x-test": (b"%d|" % size * size)[:size], "text/plain": str(size)}, raw=True)\n` +
          `    print("after", size)`,
      );
      const seen = outputs.map((output) => {
        if (output.kind === "stream") return output.text;
        if (output.kind !== "display") return output.kind;
        const { "application/x-test": bytes, "text/plain": text } = output.data;
        return `${String(text)} ${Buffer.from(bytes as Uint8Array).toString("latin1")}`;
      });
      const expected = sizes.flatMap((size) => [`${size} ${`${size}|`.repeat(size).slice(0, size)}`, `after ${size}\n`]);
      expect(seen.length).toBe(expected.length);
      expect(seen.every((text, index) => text === expected[index])).toBe(true);
    });
    await expectRunOnce("shown", rounds);
  });

  it("leave no question without its answer", async () => {
    verifies("KERN-08");
    await underCuts({ maxBytes: 20_000, afterMs: 50 }, async ({ client, random }, round) => {
      const bytes = new Uint8Array(random.magnitude(1, 100_000)).fill(round % 256);
      await client.set(`value_${round}`, { bytes, round });
      const [value, completion, completeness, variables] = await Promise.all([
        client.get(`value_${round}`),
        client.complete(`value_${round}`.slice(0, -1)),
        client.isComplete("for i in range(3):"),
        client.variables(),
        client.inspect(`value_${round}`),
      ]);
      expect(value).toEqual({ bytes, round });
      expect(completion.matches).toContain(`value_${round}`);
      expect(completeness.status).toBe("incomplete");
      expect(variables.filter(({ name }) => name.startsWith("value_"))).toHaveLength(round + 1);
    });
  });

  it("ask for each input() once", async () => {
    verifies("KERN-08");
    const asked = new Map<string, number>();
    const onInput = async (prompt: string): Promise<string> => {
      asked.set(prompt, (asked.get(prompt) ?? 0) + 1);
      await new Promise((resolve) => setTimeout(resolve, 5));
      return `answer to ${prompt}`;
    };
    const rounds = await underCuts({ maxBytes: 3_000, afterMs: 50, onInput }, async ({ client }, round) => {
      const { stdout } = await client.execute(
        `${leaveMark(`asked-${round}`)}for i in range(5): print(input(f"{i} in ${round}"), flush=True)`,
      );
      expect(stdout).toBe(Array.from({ length: 5 }, (_, i) => `answer to ${i} in ${round}\n`).join(""));
    });
    expect([...asked.values()].every((count) => count === 1)).toBe(true);
    expect(asked.size).toBe(5 * rounds);
    await expectRunOnce("asked", rounds);
  });

  it("neither lose nor double a fork", async () => {
    verifies("KERN-08");
    const before = await kernels();
    await underCuts({ maxBytes: 2_000, afterMs: 100 }, async ({ client }, round) => {
      await client.execute(`x = ${round}`);
      const forks = await client.fork({ count: 2 });
      try {
        const texts = forks.map(async (fork, index) => (await fork.execute(`x += ${index + 1}; print(x)`)).text);
        expect(await Promise.all(texts)).toEqual([`${round + 1}`, `${round + 2}`]);
        expect((await client.execute("print(x)")).text).toBe(`${round}`);
      } finally {
        await Promise.all(forks.map((fork) => fork.execute("import os; os._exit(0)").catch(() => undefined)));
        await Promise.all(forks.map((fork) => fork.disconnect()));
      }
    });
    // The client itself has left, too. A process that has just ended may still be listed.
    await eventually(async () => (await kernels()) <= before);
  });

  it("reset a kernel once for each reset", async () => {
    verifies("KERN-08");
    await underCuts({ maxBytes: 1_000, afterMs: 50 }, async ({ client }, round) => {
      await client.execute(`x = ${round}\n${leaveMark(`reset-${round}`)}`);
      await client.reset();
      const next = await client.execute("print('x' in globals())");
      expect(next).toMatchObject({ text: "False", freshKernel: true });
      expect((await client.execute("y = 1")).freshKernel).toBe(false);
    });
  });

  it("interrupt the cell they are meant for, and end failed cells with their error", async () => {
    verifies("KERN-08");
    const rounds = await underCuts({ maxBytes: 1_000, afterMs: 50 }, async ({ client }, round) => {
      const endless = client.submit(`${leaveMark(`stopped-${round}`)}print("on")\nwhile True: pass`);
      for await (const _ of endless.stream({ onExit: "detach" })) break;
      const failing = client.submit(`print("so far"); raise ValueError("${round}")`);
      await endless.interrupt();
      expect((await rejection(endless.result(), ExecutionError)).errorName).toBe("KeyboardInterrupt");
      const error = await rejection(failing.result(), ExecutionError);
      expect(error).toMatchObject({ errorName: "ValueError", errorValue: `${round}`, result: { text: "so far" } });
    });
    await expectRunOnce("stopped", rounds);
  });
});

describe("a program that only waits for a cell", () => {
  it("gets its result, also when its one connection is away for a while", async () => {
    verifies("KERN-08", "TIME-05");
    await using proxy = await FaultyProxy.before(sandbox.container.port);
    const code = "import time; time.sleep(1); 'a result'";
    const program = spawn(process.execPath, ["--import", "tsx", WAITER, String(proxy.port), sandbox.container.token, code], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    program.stdout.on("data", (text: Buffer) => (said += text.toString()));
    const ended = once(program, "exit");
    await eventually(() => said.includes("runs\n"), 60_000);
    await proxy.refuse();
    proxy.cut("reset");
    await delay(500);
    await proxy.accept();
    expect(await ended).toEqual([0, null]);
    expect(said).toBe("runs\n'a result'\nfinally\n");
  });
});

/** How many kernels' processes run in the container, the one that counts included. */
async function kernels(): Promise<number> {
  await using client = await sandbox.connect();
  const count = await client.execute(
    "import os\nsum(p.isdigit() and os.path.exists(f'/proc/{p}') and os.stat(f'/proc/{p}').st_uid == os.getuid() for p in os.listdir('/proc'))",
  );
  return Number(count.text);
}
