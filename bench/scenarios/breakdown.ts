import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { ExecutionClient } from "ipybox";
import WebSocket from "ws";
import { type Bench, createContainer, samples } from "../bench.ts";
import { docker } from "../docker.ts";
import { runOptions } from "../peers/peer-container.ts";
import type { Figure, Scenario } from "../scenario.ts";
import { median } from "../statistics.ts";

/** About the sizes of a request and of the answer to `1+1`. */
const MESSAGE = Buffer.alloc(300, 32);
const ECHO_PORT = 7000;

/** Times `run_cell` from within a cell: what IPython takes, with the displayhook and history, whoever calls it. */
const RUN_CELL = (count: number): string => `
import time
def measure(count):
    run_cell, clock, samples = get_ipython().run_cell, time.perf_counter_ns, []
    for _ in range(count):
        started = clock()
        run_cell("1+1", store_history=True)
        samples.append((clock() - started) / 1e6)
    return samples
import json
samples = measure(${count})
print("samples", json.dumps(samples))
`;

export const breakdown: Scenario = {
  name: "breakdown",
  title: "Where the time of a warm `1+1` goes",
  about:
    "`run_cell` is timed within the kernel. An echo server with the same WebSocket library, once on the host's loopback and " +
    "once in a container behind a published port, tells what carrying a message there and back costs without any of ipybox. " +
    "The rest is ipybox's: framing, the agent's relay to the kernel over a unix socket, and the wake-ups of three processes.",
  limitMs: 120_000,
  async run(bench) {
    const rounds = samples(bench, 20);
    await using container = await createContainer(bench);
    await using client = await ExecutionClient.connect({ port: container.port });
    await using loopback = await EchoServer.onLoopback();
    await using published = await EchoServer.inContainer(bench);
    const execute = figure("`execute`, all of it");
    const runCell = figure("`run_cell` alone");
    const local = figure("WebSocket there and back on the loopback");
    const through = figure("WebSocket there and back, into a container by its published port");
    // As long as V8 compiles the code of client and agent beside, it is that which is measured.
    await repeat(100 * rounds, () => client.execute("1+1"));
    for (let round = -1; round < rounds; round += 1) {
      const taken = [
        await repeat(100, () => client.execute("1+1")),
        await runCellTimes(client, 100),
        await repeat(100, () => loopback.echo()),
        await repeat(100, () => published.echo()),
      ] as const;
      if (round < 0) continue;
      for (const [index, { samples }] of [execute, runCell, local, through].entries()) samples.push(...(taken[index] ?? []));
    }
    const rest = median(execute.samples) - median(runCell.samples) - median(through.samples);
    return { figures: [execute, runCell, local, through, { ...figure("the rest, of the medians"), samples: [rest] }], goals: [] };
  },
};

function figure(what: string): Figure & { samples: number[] } {
  return { what, subject: "ipybox", unit: "ms", samples: [] };
}

async function repeat(count: number, act: () => Promise<unknown>): Promise<readonly number[]> {
  const ms: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const startedAt = performance.now();
    await act();
    ms.push(performance.now() - startedAt);
  }
  return ms;
}

async function runCellTimes(client: ExecutionClient, count: number): Promise<readonly number[]> {
  const { stdout } = await client.execute(RUN_CELL(count));
  const [, json] = /^samples (.*)$/m.exec(stdout) ?? [];
  return JSON.parse(json ?? "") as number[];
}

/** An echo server and one connection to it. */
class EchoServer {
  readonly #child: ChildProcess;
  readonly #socket: WebSocket;

  private constructor(child: ChildProcess, socket: WebSocket) {
    this.#child = child;
    this.#socket = socket;
  }

  static async onLoopback(): Promise<EchoServer> {
    const child = await startNode(process.execPath, ["-"]);
    return EchoServer.#connect(child, await firstLine(child));
  }

  static async inContainer(bench: Bench): Promise<EchoServer> {
    const name = `ipybox-bench-echo-${bench.run}`;
    const options = [...runOptions(bench), "--publish", `127.0.0.1::${ECHO_PORT}`, "--env", `PORT=${ECHO_PORT}`, "--name", name];
    const child = await startNode("docker", ["run", "--interactive", ...options, bench.peersImage, "node", "-"]);
    await firstLine(child);
    const published = await docker("port", name, String(ECHO_PORT));
    return EchoServer.#connect(child, published.slice(published.lastIndexOf(":") + 1));
  }

  static async #connect(child: ChildProcess, port: string): Promise<EchoServer> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
    await once(socket, "open");
    return new EchoServer(child, socket);
  }

  async echo(): Promise<void> {
    const answered = new Promise<void>((resolve) => this.#socket.once("message", () => resolve()));
    this.#socket.send(MESSAGE);
    await answered;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.terminate();
    const exited = once(this.#child, "exit");
    this.#child.kill();
    await exited;
  }
}

/** The server's program goes in by stdin, so that it needs nothing in an image. */
async function startNode(command: string, args: readonly string[]): Promise<ChildProcess> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("../echo-server.ts", import.meta.url))],
    bundle: true,
    platform: "node",
    format: "cjs",
    write: false,
  });
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin?.end(outputFiles[0]?.text);
  return child;
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [text] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
  return text.toString().trim();
}
