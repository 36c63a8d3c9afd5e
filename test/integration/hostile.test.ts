import { describe, expect, it } from "vitest";
import { type ExecutionClient, ExecutionError, IpyboxError, KernelDiedError } from "ipybox";
import { verifies } from "../requirements.ts";
import { rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

/** Writes a frame to the kernel's own socket, as a cell may that looks for it. */
const forge = (kind: number, flags: number, execution: string, payload: string): string =>
  `import os, struct\nos.write(250, struct.pack('<IBBHIQ', len(${payload}), ${kind}, ${flags}, 0, ${execution}, 0) + ${payload})`;

describe("a kernel that is asked to fork", () => {
  it.each([
    ["its own process", "os.getpid()"],
    ["nobody", "None"],
  ])("and names %s instead of a new one hurts only itself", async (_, pid) => {
    verifies("SEC-04", "KERN-04");
    await using other = await sandbox.connect();
    await using hostile = await sandbox.connect();
    await hostile.execute(
      "import sys, socket, os, struct\n" +
        "kernel, forking = sys.modules['ipybox_kernel.kernel'], sys.modules['ipybox_kernel.forking']\n" +
        "def lie(control, wanted):\n" +
        "    wanted.clear()\n" +
        "    forking._await(control)\n" +
        "    _, descriptors = forking._receive(control, 3)\n" +
        "    own = socket.socket(fileno=descriptors[0])\n" +
        `    pid = ${pid}\n` +
        "    credentials = struct.pack('3i', pid or 0, os.getuid(), os.getgid())\n" +
        "    if pid: own.sendmsg([b'\\0'], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, credentials)])\n" +
        "    own.close()\n" +
        "kernel.fork_kernel = lie",
    );
    await rejection(hostile.fork({ timeoutMs: 5_000 }), IpyboxError);
    expect((await hostile.execute("1 + 1")).text).toBe("2");
    expect((await other.execute("!echo relayed")).text).toBe("relayed");
    expect((await rejection(other.execute("import os; os._exit(3)"), KernelDiedError)).exitCode).toBe(3);
    await using fresh = await sandbox.connect();
    await using fork = await fresh.fork();
    expect((await fork.execute("!echo new")).text).toBe("new");
  });
});

describe("a cell that breaks Python", () => {
  it.each([
    ["import sys; sys.exit(3)", "SystemExit", "3"],
    ["raise SystemExit", "SystemExit", ""],
    ["breakpoint()", "StdinNotImplementedError", "nobody answers"],
    ["try: 1/0\nexcept ZeroDivisionError: pass\nimport pdb; pdb.set_trace()", "StdinNotImplementedError", "nobody answers"],
    ["def f(): f()\nf()", "RecursionError", "maximum recursion depth"],
    ["get_ipython().kernel.do_shutdown(False)", "AttributeError", "do_shutdown"],
    ["import os, signal; os.kill(os.getpid(), signal.SIGINT)\nwhile True: pass", "KeyboardInterrupt", ""],
  ])("gets %j as an error, and the state is kept", async (code, name, value) => {
    verifies("KERN-12");
    await using client = await sandbox.connect();
    await client.execute("kept = 7");
    const error = await rejection(client.execute(code), ExecutionError);
    expect(error.errorName).toBe(name);
    expect(error.errorValue).toContain(value);
    expect((await client.execute("kept")).text).toBe("7");
  });

  it.each([
    ["%reset -f\nprint('x' in globals())", "False"],
    ["%pdb on\n%pdb off", "Automatic pdb calling has been turned ON\nAutomatic pdb calling has been turned OFF"],
    ["import builtins\ndel builtins.print", null],
    ["import os\nos.dup2(os.open(os.devnull, os.O_WRONLY), 1)\nprint('still here')", "still here"],
    ["import sys\nsys.stdout.close()\nprint('still here')", "still here"],
    ["import os\npid = os.fork()\nif pid == 0: os._exit(0)\nos.waitpid(pid, 0)[1]", "0"],
    [
      "import os\npid = os.fork()\nif pid == 0:\n    print('child')\n    display('shown')\nelse:\n    os.waitpid(pid, 0)\n    print('parent')",
      "child\n'shown'\nparent",
    ],
    ["import multiprocessing as m\nwith m.get_context('fork').Pool(2) as pool: print(pool.map(abs, [-1, -2]))", "[1, 2]"],
  ])("runs %j, and the kernel goes on", async (code, text) => {
    verifies("KERN-12");
    await using client = await sandbox.connect();
    expect((await client.execute(code)).text).toBe(text);
    const next = await client.execute("40 + 2");
    expect(next.text).toBe("42");
    expect(next.freshKernel).toBe(false);
  });

  it("runs %debug after an error without waiting for anybody", async () => {
    verifies("KERN-12");
    await using client = await sandbox.connect();
    await rejection(client.execute("1 / 0"), ExecutionError);
    await rejection(client.execute("%debug"), ExecutionError);
    expect((await client.execute("40 + 2")).text).toBe("42");
  });
});

describe("a cell that speaks for its kernel", () => {
  it("forges output of its own and of nobody's execution", async () => {
    verifies("KERN-12", "EXEC-10");
    await using client = await sandbox.connect();
    expect((await client.execute(`${forge(1, 0, "12345", "b'forged'")}\nprint('real')`)).text).toBe("real");
    expect((await client.execute("40 + 2")).text).toBe("42");
  });

  it("forges the end of its execution: the next one is not lost", async () => {
    verifies("KERN-12");
    await using client = await sandbox.connect();
    const error = await rejection(client.execute(`${forge(3, 8, "0", "b'no message'")}\nprint('real')`), IpyboxError);
    expect(error.code).toBe("protocol_violation");
    expect((await client.execute("40 + 2")).text).toBe("42");
  });

  it.each([
    ["what is no frame", "import os; os.write(250, b'\\xff' * 100)\nwhile True: pass"],
    ["a frame that only the agent may send", `${forge(4, 0, "0", "b'{}'")}\nwhile True: pass`],
    ["the news of its end", `${forge(6, 0, "0", "struct.pack('<i', 0)")}\nwhile True: pass`],
  ])("loses its kernel when it sends %s", async (_, code) => {
    verifies("KERN-12");
    await using client = await sandbox.connect();
    await rejection(client.execute(code), KernelDiedError);
    const next = await client.execute("40 + 2");
    expect(next.text).toBe("42");
    expect(next.freshKernel).toBe(true);
  });

  it("can't pass as another process when its kernel is forked", async () => {
    verifies("KERN-03", "KERN-12");
    await using victim = await sandbox.connect();
    await using client = await sandbox.connect();
    const pid = (await victim.execute("import os; os.getpid()")).text;
    await client.execute(`import os\nos.getpid = lambda: ${pid}`);
    const forked = await client.fork().catch((error: unknown) => error);
    if (!(forked instanceof Error)) await (forked as ExecutionClient).disconnect();
    expect((await victim.execute("'alive'")).text).toBe("'alive'");
    expect((await victim.execute("1")).freshKernel).toBe(false);
  });
});

describe("a cell that closes what its kernel needs", () => {
  it.each(["import os; os.closerange(3, 1000)", "import os; os.closerange(0, 1000)"])("loses its kernel: %j", async (code) => {
    verifies("KERN-05", "KERN-12");
    await using client = await sandbox.connect();
    const error = await rejection(client.execute(code), KernelDiedError);
    expect(error.reason).toBe("exited");
    expect((await client.execute("40 + 2")).text).toBe("42");
  });
});
