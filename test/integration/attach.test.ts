import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { ContainerDiedError, type Execution, ExecutionClient, ExecutionContainer, ExecutionError, IpyboxError } from "ipybox";
import { DockerEngine } from "../../src/engine/docker/docker-engine.ts";
import { verifies } from "../requirements.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

const program = (name: string, ...args: readonly string[]): readonly string[] => [
  ...["--import", "tsx", fileURLToPath(new URL(`../fixtures/${name}.ts`, import.meta.url))],
  ...args,
];

async function readElsewhere(kernelId: string, execution: Execution, ...more: readonly string[]): Promise<string> {
  const args = program("reader", String(sandbox.container.port), kernelId, execution.id, ...more);
  return (await promisify(execFile)(process.execPath, args)).stdout;
}

function attach(kernelId: string): Promise<ExecutionClient> {
  return ExecutionClient.attach({ port: sandbox.container.port, kernelId });
}

async function isGone(kernelId: string): Promise<boolean> {
  try {
    await (await attach(kernelId)).disconnect();
    return false;
  } catch (error) {
    if (error instanceof IpyboxError && error.code === "kernel_not_found") return true;
    throw error;
  }
}

const STEPS = "import time\nfor step in range(8):\n    print('step', step)\n    time.sleep(0.1)";
const steps = (from: number): string => Array.from({ length: 8 - from }, (_, index) => `step ${from + index}\n`).join("");

describe("another process", () => {
  it("gets all of a running execution, and of one that has ended", async () => {
    verifies("KERN-09");
    await using client = await sandbox.connect();
    const execution = client.submit(STEPS);
    expect(await readElsewhere(client.kernelId, execution)).toBe(steps(0));
    expect((await execution.result()).stdout).toBe(steps(0));
    expect(await readElsewhere(client.kernelId, execution)).toBe(steps(0));
  });

  it("gets the later part alone, when it says from where", async () => {
    verifies("KERN-09");
    await using client = await sandbox.connect();
    const execution = client.submit(STEPS);
    let read = "";
    for await (const chunk of execution.stream({ onExit: "detach" })) {
      read += chunk;
      if (read.endsWith("step 2\n")) break;
    }
    const rest = await readElsewhere(client.kernelId, execution, String(execution.lastSequence + 1));
    expect(steps(0).endsWith(rest)).toBe(true);
    expect(rest.startsWith("step 3") || rest.startsWith("step 4")).toBe(true);
  });

  it("may interrupt, and get the error as the owner does", async () => {
    verifies("KERN-09");
    await using client = await sandbox.connect();
    const execution = client.submit("print('on')\nwhile True: pass");
    const failed = rejection(execution.result(), ExecutionError);
    await using other = await attach(client.kernelId);
    const replay = other.executionById(execution.id);
    for await (const _ of replay.stream({ onExit: "detach" })) break;
    await replay.interrupt();
    const error = await rejection(replay.result(), ExecutionError);
    expect(error.message).toBe((await failed).message);
    expect(error.result.text).toBe("on");
  });

  it("shares the kernel's variables, and takes its turn in the queue", async () => {
    verifies("KERN-09", "EXEC-10");
    await using client = await sandbox.connect();
    await client.execute("x = 1");
    await using other = await attach(client.kernelId);
    expect((await other.execute("x += 1; x")).text).toBe("2");
    expect((await client.execute("x")).text).toBe("2");
    const both = [client, other].flatMap((one) => Array.from({ length: 20 }, () => one.execute("x += 1; x")));
    const seen = (await Promise.all(both)).map(({ text }) => Number(text));
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, index) => index + 3));
  });

  it("is told when there is no such kernel or execution", async () => {
    verifies("KERN-09");
    await using client = await sandbox.connect();
    expect((await rejection(attach("00000000-0000-4000-8000-000000000000"), IpyboxError)).code).toBe("kernel_not_found");
    expect((await rejection(attach("../../etc"), IpyboxError)).code).toBe("invalid_option");
    expect((await rejection(client.executionById("0badf00d").result(), IpyboxError)).code).toBe("execution_not_found");
    for (const id of ["", "xyz", "00000000", "../../../"])
      expect(() => client.executionById(id)).toThrow(/no id of an execution/);
    expect(() => client.executionById("0badf00d", { fromSequence: -1 })).toThrow(/fromSequence/);
  });

  it("that has ended takes its readers along", async () => {
    verifies("KERN-09");
    await using client = await sandbox.connect();
    const execution = client.submit("import time\nprint('on')\ntime.sleep(100)");
    const other = await attach(client.kernelId);
    const reading = rejection(other.executionById(execution.id).result(), IpyboxError);
    await other.disconnect();
    expect((await reading).code).toBe("disconnected");
    await execution.interrupt();
  });
});

describe("a kernel", () => {
  it("goes with its owner's disconnect(), and stays after that of others", async () => {
    verifies("KERN-10");
    const owner = await sandbox.connect();
    const { kernelId } = owner;
    const other = await attach(kernelId);
    await other.execute("x = 1");
    await other.disconnect();
    expect((await owner.execute("x")).text).toBe("1");
    const waiting = await attach(kernelId);
    await owner.disconnect();
    expect(await isGone(kernelId)).toBe(true);
    expect((await rejection(waiting.execute("1"), IpyboxError)).code).toBe("kernel_not_found");
  });

  it("whose owner was killed stays for its grace period, and not longer", async () => {
    verifies("KERN-10");
    const child = spawn(process.execPath, program("owner", String(sandbox.container.port), "2500"), {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const kernelId = line.toString().trim();
    child.kill("SIGKILL");
    await once(child, "exit");
    {
      await using visitor = await attach(kernelId);
      expect((await visitor.execute("owned")).text).toBe("True");
    }
    // Each look is a client, and begins the grace period anew: so look once, when it must be over.
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    expect(await isGone(kernelId)).toBe(true);
  });
});

describe("idleTimeoutMs", () => {
  it("removes a kernel in which nothing runs, and never while a cell runs", async () => {
    verifies("KERN-11");
    const { port } = sandbox.container;
    await using client = await ExecutionClient.connect({ port, idleTimeoutMs: 600 });
    const { kernelId } = client;
    await using lasting = await ExecutionClient.connect({ port });
    expect((await client.execute("import time; time.sleep(1.5); print('done')")).text).toBe("done");
    await eventually(() => isGone(kernelId), 10_000);
    const error = await rejection(client.execute("1"), IpyboxError);
    expect(error.code).toBe("kernel_not_found");
    expect(error.message).toContain("idleTimeoutMs");
    expect((await lasting.execute("1")).text).toBe("1");
  });

  it("ends and removes a container likewise", async () => {
    verifies("KERN-11");
    await using container = await ExecutionContainer.create({ idleTimeoutMs: 800 });
    await using client = await ExecutionClient.connect({ port: container.port });
    expect((await client.execute("import time; time.sleep(1.6); print('done')")).text).toBe("done");
    const engine = new DockerEngine();
    await eventually(async () => (await engine.inspect(container.id)) === undefined, 10_000);
    const error = await rejection(client.execute("1"), ContainerDiedError);
    expect(error.reason).toContain("idleTimeoutMs");
  });
});
