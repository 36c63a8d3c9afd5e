import { describe, expect, it } from "vitest";
import { ExecutionAbortedError, ExecutionError, IpyboxError } from "ipybox";
import { MAX_REQUEST_BYTES } from "../../src/protocol/frame.ts";
import { verifies } from "../requirements.ts";
import { rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

describe("text of a result", () => {
  it.each([
    ["print('Hello, world!')", "Hello, world!"],
    ["print('first'); print('second'); print('third')", "first\nsecond\nthird"],
    ["2 + 2", "4"],
    ["1;", null],
    ["x = 1", null],
    ["print('')", ""],
    ["print('a'); 1", "a\n1"],
    ["print('a', end=''); 1", "a\n1"],
    ["print('  padded  ')", "padded"],
    ["import sys; print('out'); print('err', file=sys.stderr); print('out')", "out\nerr\nout"],
    ["display('shown'); 'value'", "'shown'\n'value'"],
  ])("of %j is %j", async (code, text) => {
    verifies("EXEC-01", "EXEC-02");
    await using client = await sandbox.connect();
    expect((await client.execute(code)).text).toBe(text);
  });

  it("keeps the history of a notebook", async () => {
    verifies("EXEC-02");
    await using client = await sandbox.connect();
    expect((await client.execute("40 + 1")).executionCount).toBe(1);
    await client.execute("42");
    expect((await client.execute("_, _1, Out[2], In[1]")).text).toBe("(42, 41, 42, '40 + 1')");
  });
});

describe("state", () => {
  it("stays in a client and is not seen by another", async () => {
    verifies("EXEC-03");
    await using first = await sandbox.connect();
    await using second = await sandbox.connect();
    await first.execute("x = 1");
    expect((await first.execute("print(x)")).text).toBe("1");
    const error = await rejection(second.execute("print(x)"), ExecutionError);
    expect(error.message).toBe("NameError: name 'x' is not defined");
  });
});

describe("large cells and outputs", () => {
  it("gives 500,000 characters on one line exactly", async () => {
    verifies("EXEC-04");
    await using client = await sandbox.connect();
    expect((await client.execute("print('a' * 500_000)")).text).toBe("a".repeat(500_000));
  });

  it("gives 500,000 lines exactly", async () => {
    verifies("EXEC-04");
    await using client = await sandbox.connect();
    const { stdout } = await client.execute("for i in range(500_000): print(i)");
    expect(stdout === Array.from({ length: 500_000 }, (_, index) => `${index}\n`).join("")).toBe(true);
  });

  it("gives 100 MB by the stream, and says that the result keeps a part", async () => {
    verifies("EXEC-04");
    await using client = await sandbox.connect();
    const execution = client.submit("for i in range(100): print('x' * 999_999)");
    let length = 0;
    let others = 0;
    for await (const chunk of execution.stream()) {
      length += chunk.length;
      others += chunk.replaceAll("x", "").replaceAll("\n", "").length;
    }
    expect({ length, others }).toEqual({ length: 100_000_000, others: 0 });
    const result = await execution.result();
    expect(result.truncated).toBe(true);
    expect(result.totalBytes).toBe(100_000_000);
    expect(result.stdout.length).toBe(16 * 1024 * 1024);
  });

  it("gives 100 MB in a result that may be as long", async () => {
    verifies("EXEC-04");
    await using client = await sandbox.connect();
    const result = await client.execute("print('é' * 50_000_000)", { maxOutputBytes: 200_000_000 });
    expect(result.truncated).toBe(false);
    expect(result.stdout === `${"é".repeat(50_000_000)}\n`).toBe(true);
  });

  it("runs a cell of 10,002 lines", async () => {
    verifies("EXEC-05");
    await using client = await sandbox.connect();
    const lines = ["total = 0", ...Array.from({ length: 10_000 }, (_, index) => `total += ${index}`), "print(total)"];
    expect((await client.execute(lines.join("\n"))).text).toBe("49995000");
  });

  it("runs a cell of 12 MB", async () => {
    verifies("EXEC-05");
    await using client = await sandbox.connect();
    expect((await client.execute(`text = '${"z".repeat(12_000_000)}'\nlen(text)`)).text).toBe("12000000");
  });
});

describe("IPython", () => {
  it.each([
    ["import asyncio\nawait asyncio.sleep(0.01)\nprint('awaited')", "awaited"],
    ["async def f(): return 7\nawait f()", "7"],
    ["import asyncio\nasync def f(): return 8\nasyncio.run(f())", "8"],
    ["name = 'World'\n!echo Hello {name}", "Hello World"],
    ["files = !printf 'a\\nb\\n'\nfiles", "['a', 'b']"],
    ["%env IPYBOX_TEST=5\nimport os\nprint(os.environ['IPYBOX_TEST'])", "env: IPYBOX_TEST=5\n5"],
    ["%%bash\necho from bash", "from bash"],
    ["%%capture caught\nprint('hidden')", null],
    ["    x = 1\n    print(x + 1)", "2"],
    ["\n\nprint('after blank lines')", "after blank lines"],
    ["print('a')\r\nprint('b')\r\n", "a\nb"],
  ])("runs %j", async (code, text) => {
    verifies("EXEC-06");
    await using client = await sandbox.connect();
    expect((await client.execute(code)).text).toBe(text);
  });

  it("shows help in the text", async () => {
    verifies("EXEC-06");
    await using client = await sandbox.connect();
    expect((await client.execute("len?")).text).toContain("Return the number of items in a container.");
  });

  it("lets tasks of a cell go on between cells", async () => {
    verifies("EXEC-06");
    await using client = await sandbox.connect();
    await client.execute(
      "import asyncio\ndone = False\nasync def later():\n    global done\n    await asyncio.sleep(0.05)\n    done = True\ntask = asyncio.create_task(later())\nawait asyncio.sleep(0)",
    );
    const { text } = await client.execute("import time\ntime.sleep(0)\nawait task\ndone");
    expect(text).toBe("True");
  });
});

describe("errors", () => {
  it("are reported with what was printed before them", async () => {
    verifies("EXEC-07");
    await using client = await sandbox.connect();
    const error = await rejection(client.execute("print('before')\n2 / 0"), ExecutionError);
    expect(error.message).toBe("ZeroDivisionError: division by zero");
    expect(error.errorName).toBe("ZeroDivisionError");
    expect(error.errorValue).toBe("division by zero");
    expect(error.traceback).toContain("----> 2 2 / 0");
    expect(error.traceback).not.toContain("\u001b");
    expect(error.result.text).toBe("before");
    expect(error.frames.at(-1)).toMatchObject({ file: "In[1]", line: 2, code: "2 / 0" });
  });

  it("in the syntax are reported likewise", async () => {
    verifies("EXEC-07");
    await using client = await sandbox.connect();
    const error = await rejection(client.execute("def f(:"), ExecutionError);
    expect(error.errorName).toBe("SyntaxError");
    expect(error.message).toContain("invalid syntax");
    expect(error.traceback).not.toContain("\u001b");
  });

  it.each([
    ["raise SystemExit(3)", "SystemExit"],
    ["raise KeyboardInterrupt", "KeyboardInterrupt"],
    ["class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd", "Odd"],
    ["await nothing", "NameError"],
    ["%nosuchmagic", "UsageError"],
  ])("leave the kernel in order: %j", async (code, name) => {
    verifies("EXEC-07");
    await using client = await sandbox.connect();
    const error = await client.execute(code).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (name === "UsageError") expect(error === undefined || (error as ExecutionError).errorName === name).toBe(true);
    else expect((error as ExecutionError).errorName).toBe(name);
    expect((await client.execute("1 + 1")).text).toBe("2");
  });
});

describe("submissions", () => {
  it("run in order, each with its own output", async () => {
    verifies("EXEC-10");
    await using client = await sandbox.connect();
    const executions = Array.from({ length: 30 }, (_, index) =>
      client.submit(`import os\nprint('start ${index}')\nos.system('echo sub ${index}')\n${index}`),
    );
    const texts = await Promise.all(executions.map(async (execution) => (await execution.result()).text));
    expect(texts).toEqual(executions.map((_, index) => `start ${index}\nsub ${index}\n${index}`));
  });

  it("go on after an error", async () => {
    verifies("EXEC-11");
    await using client = await sandbox.connect();
    const [bad, good] = [client.submit("1 / 0"), client.submit("print('on')")];
    await rejection(bad.result(), ExecutionError);
    expect((await good.result()).text).toBe("on");
  });

  it("are aborted after an error with stopOnError", async () => {
    verifies("EXEC-11");
    await using client = await sandbox.connect();
    const bad = client.submit("import time; time.sleep(0.2); 1 / 0", { stopOnError: true });
    const next = client.submit("ran = True");
    await rejection(bad.result(), ExecutionError);
    await rejection(next.result(), ExecutionAbortedError);
    expect((await client.execute("'ran' in globals()")).text).toBe("False");
  });
});

describe("odd code", () => {
  it.each([
    ["", null],
    ["   \n\n", null],
    ["# only a comment", null],
    [String.raw`print('\ud800' + '!')`, "\ud800!"],
    ["print('\u{1F600}')", "\u{1F600}"],
  ])("%j gives %j", async (code, text) => {
    verifies("EXEC-12");
    await using client = await sandbox.connect();
    expect((await client.execute(code)).text).toBe(text);
    expect((await client.execute("1 + 1")).text).toBe("2");
  });

  it("with a Unicode line separator in a string is not cut there", async () => {
    verifies("EXEC-12");
    await using client = await sandbox.connect();
    expect((await client.execute("print(len('a\u2028b'))")).stdout).toBe("3\n");
  });

  it.each([["x = '\0'"], ["print('\ud800')"], ["(".repeat(10_000)], [`${"(".repeat(10_000)}1${")".repeat(10_000)}`]])(
    "is an error, and the kernel goes on (%#)",
    async (code) => {
      verifies("EXEC-12");
      await using client = await sandbox.connect();
      const error = await rejection(client.execute(code), ExecutionError);
      expect(error.errorName).toMatch(/SyntaxError|MemoryError|RecursionError|ValueError|UnicodeEncodeError/);
      expect((await client.execute("1 + 1")).text).toBe("2");
    },
  );
});

describe("what can't be sent", () => {
  it("is refused by its size, and the next cell runs", async () => {
    verifies("EXEC-12", "TIME-05");
    await using client = await sandbox.connect();
    const error = await rejection(client.execute(`#${"a".repeat(MAX_REQUEST_BYTES)}`), IpyboxError);
    expect(error).toMatchObject({ code: "invalid_option", details: { field: "code", limitBytes: MAX_REQUEST_BYTES } });
    expect(error.message).toMatch(/^The execute request is \d+ bytes long, and at most 268435456 bytes can be sent/);
    await expect(client.set("x", new Uint8Array(MAX_REQUEST_BYTES))).rejects.toMatchObject({ code: "invalid_option" });
    expect((await client.execute("1")).text).toBe("1");
  });

  it("is refused where a cursor lies outside of the code", async () => {
    verifies("OUT-05");
    await using client = await sandbox.connect();
    for (const cursor of [-1, 4, 1.5, NaN]) {
      for (const ask of [client.complete("abc", cursor), client.inspect("abc", cursor)]) {
        const error = await rejection(ask, IpyboxError);
        expect(error.message).toMatch(`cursor must be a whole number from 0 to the length of code, 3. Given was ${cursor}.`);
      }
    }
  });
});

describe("a process that a cell has forked", () => {
  it.each([
    ["sys.exit(3)", 3, null],
    ["sys.exit()", 0, null],
    ["sys.exit('why')", 1, "why"],
    ["pass", 0, null],
    ["1 / 0", 1, "ZeroDivisionError: division by zero"],
  ])("that ends with %s does so as any program", async (code, status, text) => {
    verifies("KERN-12");
    await using client = await sandbox.connect();
    await client.execute(`import os, sys\nchild = os.fork()\nif child == 0:\n    ${code}`);
    const result = await client.execute("os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])");
    expect(result.text?.split("\n").at(-1)).toBe(String(status));
    if (text === null) return;
    const told = await client.execute(
      `child = os.fork()\nif child == 0:\n    ${code}\nelse:\n    os.waitpid(child, 0)\n    print('parent')`,
    );
    expect(told.stderr).toContain(text);
    expect(told.stdout).toBe("parent\n");
  });
});
