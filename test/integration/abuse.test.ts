import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { ExecutionClient, ExecutionContainer, IpyboxError } from "ipybox";
import { Control } from "../../src/control.ts";
import { verifies } from "../requirements.ts";
import { inspect } from "./docker.ts";
import { useContainer } from "./sandbox.ts";

const MIB = 1024 * 1024;

/** How long each hog is watched; `ABUSE_MS=30000` for a longer look. */
const WATCHED_MS = Number(process.env["ABUSE_MS"] ?? 2_000);

/** How long a hog has to become one. */
const BEGIN_MS = 1_000;
const ANSWER_MS = 1_000;
const NEIGHBOUR_MS = 1_000;
const REMOVED_MS = 5_000;

interface Hog {
  readonly name: string;
  readonly code: string;
  /** What it uses up, so that a new kernel may not find it. */
  readonly uses?: "pids" | "memory" | "disk";
}

const keepTrying = (statement: string): string =>
  `import os, socket, threading, time\nkept = []\nwhile True:\n    try: ${statement}\n    except (OSError, RuntimeError): pass`;

const HOGS: readonly Hog[] = [
  { name: "a fork bomb", code: keepTrying("os.fork()"), uses: "pids" },
  { name: "a fork bomb of sessions of their own", code: keepTrying("os.fork() or os.setsid()"), uses: "pids" },
  { name: "a shell's fork bomb", code: "import os\nos.system('b() { b | b & }; b; sleep 1000')", uses: "pids" },
  {
    name: "10,000 threads",
    code: "import threading, time\nfor _ in range(10_000): threading.Thread(target=time.sleep, args=(1000,)).start()",
    uses: "pids",
  },
  { name: "a zombie factory", code: keepTrying("os.fork() or os._exit(0)"), uses: "pids" },
  { name: "a CPU hog of 32 processes", code: "import os\nfor _ in range(5): os.fork()\nwhile True: pass" },
  { name: "a memory hog", code: "kept = []\nwhile True: kept.append(bytearray(1 << 20))", uses: "memory" },
  {
    name: "a memory hog of 8 processes",
    code: "import os\nfor _ in range(3): os.fork()\nkept = []\nwhile True: kept.append(bytearray(1 << 16))",
    uses: "memory",
  },
  { name: "a descriptor hog", code: keepTrying("kept.append(os.open('/dev/null', os.O_RDONLY))") },
  {
    name: "a hog of the agent's connections",
    code: `import os\nfor _ in range(2): os.fork()\n${keepTrying("kept.append(socket.create_connection(('127.0.0.1', 8888)))")}`,
  },
  {
    name: "a hog of shared memory",
    code: "f = open('/dev/shm/full', 'wb', 0)\nwhile True:\n    try: f.write(bytes(1 << 20))\n    except OSError: pass",
    uses: "memory",
  },
  {
    name: "a disk hog",
    code: "f = open('/app/full', 'wb', 0)\nwhile True:\n    try: f.write(bytes(1 << 20))\n    except OSError: pass",
    uses: "disk",
  },
  { name: "an output hog", code: "while True: print('x' * 1000)" },
];

const neighbour = useContainer({ cpus: 1 });

/** Does something again and again until `signal` aborts; gives how long it took at most, in milliseconds. */
async function slowest(signal: AbortSignal, work: () => Promise<unknown>): Promise<number> {
  let most = 0;
  while (!signal.aborted) {
    const startedAt = performance.now();
    await work();
    most = Math.max(most, performance.now() - startedAt);
    await delay(50);
  }
  return most;
}

/** What becomes of a new kernel: `works`, or the bound that the error names. */
async function newKernel({ port }: ExecutionContainer): Promise<string> {
  try {
    await using client = await ExecutionClient.connect({ port, connectTimeoutMs: 15_000 });
    return (await client.execute("print('works')", { timeoutMs: null })).text ?? "";
  } catch (error) {
    if (!(error instanceof IpyboxError)) throw error;
    expect(error.message).toMatch(/raise (pidsLimit|memoryBytes)/);
    return String(error.details["bound"]);
  }
}

describe("a container with", () => {
  it.each(HOGS)(
    "$name answers, starts a kernel or says why not, disturbs no other, and is removed at once",
    async ({ code, uses }) => {
      verifies("LIFE-04");
      await using other = await neighbour.connect();
      await using container = await ExecutionContainer.create({
        memoryBytes: 512 * MIB,
        pidsLimit: 256,
        shmBytes: 64 * MIB,
        diskBytes: 256 * MIB,
      });
      const client = await ExecutionClient.connect({ port: container.port });
      const { id, host, port, token } = container;
      const control = await Control.open({ host, port, token }, { timeoutMs: 5_000 });
      const hog = client.submit(code, { timeoutMs: null, maxOutputBytes: 0 });
      const reading = hog.result().catch(() => undefined);
      await delay(BEGIN_MS);
      const watched = AbortSignal.timeout(WATCHED_MS);
      const [answer, undisturbed, fresh] = await Promise.all([
        slowest(watched, () => control.request({ type: "ping_request" }, "ping_reply")),
        slowest(watched, () => other.execute("1 + 1")),
        newKernel(container),
      ]);
      control.close();
      const startedAt = performance.now();
      await container.kill();
      const removed = performance.now() - startedAt;
      await reading;
      expect(answer).toBeLessThan(ANSWER_MS);
      expect(undisturbed).toBeLessThan(NEIGHBOUR_MS);
      expect(["works", uses]).toContain(fresh);
      expect(removed).toBeLessThan(REMOVED_MS);
      expect(await inspect(id)).toBeUndefined();
    },
    60_000 + WATCHED_MS,
  );
});
