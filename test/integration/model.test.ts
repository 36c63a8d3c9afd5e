import fc from "fast-check";
import { expect, it } from "vitest";
import { ExecutionClient, ExecutionError, type ExecutionResult, KernelDiedError } from "ipybox";
import { FaultyProxy } from "../fakes/faulty-proxy.ts";
import { verifies } from "../requirements.ts";
import { rejection, useContainer } from "./sandbox.ts";

/** All 500 with `npm run test:model`. */
const SEQUENCES = Number(process.env["MODEL_SEQUENCES"] ?? 100);
const STEPS = 25;
const STEP_MS = 20_000;

const sandbox = useContainer({ pidsLimit: 2_048 });

/** What a kernel must be like. */
interface KernelModel {
  x: number | null;
  /** The next result must tell that the process is a new one. */
  fresh: boolean;
}

interface ClientModel {
  readonly client: ExecutionClient;
  readonly kernel: KernelModel;
  readonly owns: boolean;
}

const OPERATIONS = [
  ...["connect", "set", "read", "fail", "interrupt", "reset", "fork", "exit", "kill", "attach", "disconnect"],
  ...["cut", "cut while it prints", "burst", "ask", "leave early"],
] as const;
type Operation = (typeof OPERATIONS)[number];

interface Step {
  readonly operation: Operation;
  /** Which client, counted round. */
  readonly at: number;
  readonly value: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  operation: fc.constantFrom(...OPERATIONS),
  at: fc.nat(9),
  value: fc.integer({ min: 0, max: 999 }),
});

class World implements AsyncDisposable {
  readonly #proxy: FaultyProxy;
  #clients: ClientModel[] = [];

  constructor(proxy: FaultyProxy) {
    this.#proxy = proxy;
  }

  async do({ operation, at, value }: Step): Promise<void> {
    const one = this.#clients[at % Math.max(this.#clients.length, 1)];
    if (one === undefined || (operation === "connect" && this.#clients.length < 8)) return this.#connect();
    const { client, kernel } = one;
    const { port, token } = { port: this.#proxy.port, token: sandbox.container.token };
    switch (operation) {
      case "set":
        this.#check(kernel, await client.execute(`x = ${value}`), null);
        kernel.x = value;
        break;
      case "connect":
      case "read":
        this.#check(kernel, await client.execute("print(globals().get('x'))"), String(kernel.x ?? "None"));
        break;
      case "fail": {
        const error = await rejection(client.execute("print('before')\n1 / 0"), ExecutionError);
        expect(error.errorName).toBe("ZeroDivisionError");
        this.#check(kernel, error.result, "before");
        break;
      }
      case "interrupt": {
        const execution = client.submit("print('on')\nwhile True: pass");
        for await (const _ of execution.stream({ onExit: "detach" })) break;
        await execution.interrupt();
        const error = await rejection(execution.result(), ExecutionError);
        expect(error.errorName).toBe("KeyboardInterrupt");
        this.#check(kernel, error.result, "on");
        break;
      }
      case "leave early": {
        const execution = client.submit("for i in range(10**9): print('line')");
        for await (const _ of execution.stream()) break;
        const error = await rejection(execution.result(), ExecutionError);
        expect(error.errorName).toBe("KeyboardInterrupt");
        this.#check(kernel, error.result);
        break;
      }
      case "reset":
        await client.reset();
        Object.assign(kernel, { x: null, fresh: true });
        break;
      case "fork":
        if (this.#clients.length >= 10) break;
        this.#clients.push({ client: await client.fork(), kernel: { x: kernel.x, fresh: false }, owns: true });
        break;
      case "exit":
      case "kill": {
        const end = operation === "exit" ? `os._exit(${value % 256})` : "os.kill(os.getpid(), 9)";
        const error = await rejection(client.execute(`print('last')\nimport os\n${end}`), KernelDiedError);
        expect(error).toMatchObject(operation === "exit" ? { exitCode: value % 256 } : { signal: "SIGKILL" });
        this.#check(kernel, error.result, "last");
        Object.assign(kernel, { x: null, fresh: true });
        break;
      }
      case "attach":
        if (this.#clients.length >= 10) break;
        this.#clients.push({
          client: await ExecutionClient.attach({ port, token, kernelId: client.kernelId }),
          kernel,
          owns: false,
        });
        break;
      case "disconnect": {
        // Who owns the kernel takes it from all others.
        const gone = one.owns ? this.#clients.filter((other) => other.kernel === kernel) : [one];
        this.#clients = this.#clients.filter((other) => !gone.includes(other));
        await client.disconnect();
        await Promise.all(gone.map((other) => other.client.disconnect()));
        break;
      }
      case "cut":
        this.#proxy.cut(value % 2 === 0 ? "reset" : "close");
        break;
      case "cut while it prints": {
        const execution = client.submit(`for i in range(${value * 10}): print(i)\nx = ${value}`);
        for (let cut = 0; cut < 3; cut += 1) {
          await new Promise((resolve) => setTimeout(resolve, (value + cut * 7) % 20));
          this.#proxy.cut("reset");
        }
        const result = await execution.result();
        expect(result.stdout).toBe(Array.from({ length: value * 10 }, (_, index) => `${index}\n`).join(""));
        this.#check(kernel, result);
        kernel.x = value;
        break;
      }
      case "burst": {
        const start = kernel.x ?? 0;
        const executions = Array.from({ length: 5 }, () => client.submit("x = globals().get('x', 0) + 1\nprint(x)"));
        const results = await Promise.all(executions.map((execution) => execution.result()));
        expect(results.map(({ text }) => Number(text))).toEqual([1, 2, 3, 4, 5].map((more) => start + more));
        expect(results.map(({ freshKernel }) => freshKernel)).toEqual([kernel.fresh, false, false, false, false]);
        Object.assign(kernel, { x: start + 5, fresh: false });
        break;
      }
      case "ask":
        if (kernel.x === null) await rejection(client.get("x"), ExecutionError);
        else expect(await client.get("x")).toBe(kernel.x);
        break;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map(({ client }) => client.disconnect()));
  }

  async #connect(): Promise<void> {
    const client = await ExecutionClient.connect({ port: this.#proxy.port, token: sandbox.container.token });
    this.#clients.push({ client, kernel: { x: null, fresh: false }, owns: true });
  }

  #check(kernel: KernelModel, { text, freshKernel, lostBytes }: ExecutionResult, expected?: string | null): void {
    if (expected !== undefined) expect(text).toBe(expected);
    expect({ freshKernel, lostBytes }).toEqual({ freshKernel: kernel.fresh, lostBytes: 0 });
    kernel.fresh = false;
  }
}

it(`clients behave as their model in ${SEQUENCES} sequences of up to ${STEPS} steps`, { timeout: 3_600_000 }, async () => {
  verifies("KERN-01", "KERN-02", "KERN-03", "KERN-05", "KERN-08", "KERN-10", "EXEC-10");
  await using proxy = await FaultyProxy.before(sandbox.container.port);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: STEPS }), async (steps) => {
      await using world = new World(proxy);
      for (const [index, one] of steps.entries()) await within(world.do(one), `step ${index}, ${JSON.stringify(one)}`);
    }),
    { numRuns: SEQUENCES, interruptAfterTimeLimit: 3_500_000, markInterruptAsFailure: true },
  );
});

/** Nothing hangs: each step has a deadline. */
async function within(work: Promise<void>, what: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} was not done after ${STEP_MS} ms`)), STEP_MS);
  });
  try {
    await Promise.race([work, late]);
  } catch (cause) {
    throw new Error(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}
