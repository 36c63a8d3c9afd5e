import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import {
  type ApprovalHandler,
  type ApprovalRequest,
  ExecutionClient,
  type ExecutionClientOptions,
  ExecutionError,
  ExecutionTimeoutError,
  IpyboxError,
} from "ipybox";
import { verifies } from "../requirements.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

interface Asked {
  readonly client: ExecutionClient;
  readonly requests: ApprovalRequest[];
  readonly calls: unknown[];
}

/** A client with a function `pay`, and a note of what was asked and called. */
async function connect(
  onApproval: ApprovalHandler,
  options: Partial<ExecutionClientOptions> = {},
): Promise<Asked & AsyncDisposable> {
  const requests: ApprovalRequest[] = [];
  const client = await ExecutionClient.connect({
    port: sandbox.container.port,
    ...options,
    onApproval: (request) => {
      requests.push(request);
      return onApproval(request);
    },
  });
  const calls: unknown[] = [];
  await client.expose({
    pay: {
      input: z.object({ amount: z.number().max(100), to: z.string().default("me") }),
      handler: (input) => {
        calls.push(input);
        return `paid ${input.amount}`;
      },
    },
  });
  return { client, requests, calls, [Symbol.asyncDispose]: () => client.disconnect() };
}

const PAY = "from host import pay\npay(5)";

describe("onApproval", () => {
  it("sees each call before it is made: kind, name, arguments and execution", async () => {
    verifies("HOST-02");
    await using asked = await connect(() => true);
    const execution = asked.client.submit(PAY);
    expect((await execution.result()).text).toBe("'paid 5'");
    expect(asked.requests).toMatchObject([
      { kind: "function", name: "pay", input: { amount: 5, to: "me" }, executionId: execution.id },
    ]);
    expect(asked.calls).toEqual([{ amount: 5, to: "me" }]);
  });

  it("edits a call", async () => {
    verifies("HOST-02");
    await using asked = await connect(() => ({ decision: "accept", input: { amount: 1 } }));
    expect((await asked.client.execute(PAY)).text).toBe("'paid 1'");
    expect(asked.calls).toEqual([{ amount: 1, to: "me" }]);
  });

  it("has what it edits checked as well", async () => {
    verifies("HOST-02");
    await using asked = await connect(() => ({ decision: "accept", input: { amount: 1_000 } }));
    expect((await rejection(asked.client.execute(PAY), ExecutionError)).errorName).toBe("HostInputError");
    expect(asked.calls).toEqual([]);
  });

  it("is not asked for what does not fit the schema", async () => {
    verifies("HOST-02");
    await using asked = await connect(() => true);
    await rejection(asked.client.execute("from host import pay\npay(1000)"), ExecutionError);
    expect(asked.requests).toEqual([]);
  });

  const refusals: [string, ApprovalHandler, string][] = [
    ["false", () => false, "pay was rejected"],
    ["a rejection with its reason", () => ({ decision: "reject", reason: "too much" }), "pay was rejected: too much"],
    [
      "an error",
      () => {
        throw new Error("gone home");
      },
      "pay was rejected: onApproval failed: gone home",
    ],
    [
      "a promise that rejects",
      async () => Promise.reject(new Error("gone home")),
      "pay was rejected: onApproval failed: gone home",
    ],
    ...[undefined, null, 1, "accept", {}, { decision: "yes" }].map((value): [string, ApprovalHandler, string] => [
      `what is no decision: ${JSON.stringify(value)}`,
      () => value as never,
      "pay was rejected: onApproval gave neither true nor false nor a decision",
    ]),
  ];
  it.each(refusals)("rejects a call by %s: ApprovalRejected in the cell, and nothing is called", async (_, handler, message) => {
    verifies("HOST-02");
    await using asked = await connect(handler);
    const error = await rejection(asked.client.execute(PAY), ExecutionError);
    expect(error.message).toBe(`ApprovalRejected: ${message}`);
    expect(asked.calls).toEqual([]);
    expect(
      (await asked.client.execute("from host import ApprovalRejected\ntry: pay(5)\nexcept ApprovalRejected: print('went on')"))
        .text,
    ).toBe("went on");
  });

  it("may take its time: it does not count as the cell's", async () => {
    verifies("HOST-02", "TIME-04");
    await using asked = await connect(() => delay(800, true));
    expect((await asked.client.execute(PAY, { timeoutMs: 500 })).text).toBe("'paid 5'");
    const parallel = "import asyncio\nfrom host.aio import pay\nlen(await asyncio.gather(*(pay(n) for n in range(3))))";
    expect((await asked.client.execute(parallel, { timeoutMs: 500 })).text).toBe("3");
    await rejection(asked.client.execute(`${PAY}\nwhile True: pass`, { timeoutMs: 300 }), ExecutionTimeoutError);
  });

  it("is told when the answer is not needed any more, and a late one does no harm", async () => {
    verifies("HOST-02", "TIME-02");
    let answer: (value: boolean) => void = () => undefined;
    await using asked = await connect(() => new Promise((resolve) => (answer = resolve)));
    const execution = asked.client.submit(PAY);
    const failed = rejection(execution.result(), ExecutionError);
    await eventually(() => asked.requests.length === 1);
    await execution.interrupt();
    expect((await failed).errorName).toBe("KeyboardInterrupt");
    await eventually(() => asked.requests[0]?.signal.aborted ?? false);
    answer(true);
    expect((await asked.client.execute("40 + 2")).text).toBe("42");
    expect(asked.calls).toEqual([]);
  });

  it("is the fork's, too", async () => {
    verifies("HOST-02", "KERN-03");
    await using asked = await connect(({ input }) => (input as { amount: number }).amount < 3);
    await using fork = await asked.client.fork();
    await rejection(fork.execute(PAY), ExecutionError);
    expect((await fork.execute("pay(2)")).text).toBe("'paid 2'");
    expect(asked.requests).toHaveLength(2);
  });

  it("is not asked for shell commands unless that is wanted", async () => {
    verifies("HOST-02");
    await using asked = await connect(() => false);
    expect((await asked.client.execute("!echo run")).text).toBe("run");
    expect(asked.requests).toEqual([]);
  });

  it("is needed for approveShellCommands", async () => {
    verifies("HOST-02");
    const error = await rejection(ExecutionClient.connect({ port: 1, approveShellCommands: true }), IpyboxError);
    expect(error).toMatchObject({ code: "invalid_option", details: { field: "approveShellCommands" } });
  });
});

describe("approveShellCommands", () => {
  const commands: [string, string, unknown][] = [
    ["!echo {40 + 2}", "42", { command: "echo 42" }],
    ["x = !echo a; echo b\nprint(list(x))", "['a', 'b']", { command: "echo a; echo b" }],
    ["%sx echo c", "['c']", { command: "echo c" }],
    ["%%bash\necho d\necho e", "d\ne", { command: "echo d\necho e\n", interpreter: "bash" }],
    ["%%sh\necho f", "f", { command: "echo f\n", interpreter: "sh" }],
    ["%%script bash -e\necho g", "g", { command: "echo g\n", interpreter: "bash -e" }],
    ["%%!\necho h", "['h']", { command: "echo h\n" }],
    ["get_ipython().system('echo i')", "i", { command: "echo i" }],
    ["%alias say echo said %s\n%say j", "said j", { command: "echo said j " }],
  ];
  it.each(commands)("asks for %j", async (code, text, input) => {
    verifies("HOST-02");
    await using asked = await connect(() => true, { approveShellCommands: true });
    expect((await asked.client.execute(code)).text).toBe(text);
    expect(asked.requests).toMatchObject([{ kind: "shell", name: "shell", input }]);
  });

  it.each(commands)("rejects and edits %j", async (code, _, input) => {
    verifies("HOST-02");
    let edits = false;
    await using asked = await connect(
      ({ input }) =>
        edits
          ? { decision: "accept", input: { ...(input as object), command: "echo edited" } }
          : { decision: "reject", reason: "no" },
      { approveShellCommands: true },
    );
    const error = await rejection(asked.client.execute(code), ExecutionError);
    const { command } = input as { command: string };
    expect(error.message).toBe(`ApprovalRejected: The command ${JSON.stringify(command)} was rejected: no`);
    edits = true;
    expect((await asked.client.execute(code)).text).toContain("edited");
  });

  it("holds after a reset, after the kernel's death, and in forks, from the first cell on", async () => {
    verifies("HOST-02");
    await using asked = await connect(() => false, { approveShellCommands: true });
    const { client } = asked;
    const refused = async (one: ExecutionClient): Promise<void> => {
      expect((await rejection(one.execute("!echo run"), ExecutionError)).errorName).toBe("ApprovalRejected");
    };
    await refused(client);
    await client.reset();
    await refused(client);
    await rejection(client.execute("import os; os._exit(1)"), IpyboxError);
    await refused(client);
    await using fork = await client.fork();
    await refused(fork);
  });

  it("fails closed when the one who approves has left", async () => {
    verifies("HOST-02");
    await using owner = await sandbox.connect();
    const { port } = sandbox.container;
    const guest = await ExecutionClient.attach({
      port,
      kernelId: owner.kernelId,
      onApproval: () => true,
      approveShellCommands: true,
    });
    expect((await guest.execute("!echo run")).text).toBe("run");
    await guest.disconnect();
    const error = await rejection(owner.execute("!echo run"), ExecutionError);
    expect(error.message).toBe(
      "HostUnavailableError: the shell command can't be approved: the program that has exposed it has disconnected",
    );
  });
});

describe("requireShellEscape", () => {
  const starts = [
    "import subprocess; subprocess.run(['true'])",
    "import subprocess; subprocess.check_output('true', shell=True)",
    "import os; os.system('true')",
    "import os; os.popen('true').read()",
    "import os; os.execv('/bin/true', ['true'])",
    "import os; os.posix_spawn('/bin/true', ['true'], {})",
    "import pty; pty.spawn('true')",
    "import asyncio; await asyncio.create_subprocess_exec('true')",
    "import asyncio, subprocess; await asyncio.to_thread(subprocess.run, ['true'])",
    "from subprocess import run\ndef inner(): return run(['true'])\ninner()",
    "exec('import subprocess; subprocess.run([\"true\"])')",
  ];
  it.each(starts)("refuses %j", async (code) => {
    verifies("HOST-02");
    await using client = await ExecutionClient.connect({ port: sandbox.container.port, requireShellEscape: true });
    const error = await rejection(client.execute(code), ExecutionError);
    expect(error.errorName).toBe("PermissionError");
    expect(error.errorValue).toContain("requireShellEscape");
    expect(await client.execute("40 + 2")).toMatchObject({ text: "42", freshKernel: false });
  });

  it.each([
    "!echo run",
    "%%bash\necho run",
    "%pip --version",
    "import platform; platform.processor()",
    "import multiprocessing as m\nwith m.get_context('fork').Pool(1) as pool: pool.map(abs, [1])",
  ])("lets %j be", async (code) => {
    verifies("HOST-02");
    await using client = await ExecutionClient.connect({ port: sandbox.container.port, requireShellEscape: true });
    await client.execute(code);
  });

  it.each(starts.filter((code) => !code.includes("os.exec")))("is off by default: %j", async (code) => {
    verifies("HOST-02");
    await using client = await sandbox.connect();
    await client.execute(code);
  });

  it("holds after a reset and in forks", async () => {
    verifies("HOST-02");
    await using client = await ExecutionClient.connect({ port: sandbox.container.port, requireShellEscape: true });
    await client.reset();
    await using fork = await client.fork();
    for (const one of [client, fork]) {
      expect((await rejection(one.execute("import os; os.system('true')"), ExecutionError)).errorName).toBe("PermissionError");
    }
  });
});
