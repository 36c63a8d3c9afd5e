import { describe, expect, it } from "vitest";
import { ExecutionClient, ExecutionError, ExecutionTimeoutError } from "ipybox";
import { verifies } from "../requirements.ts";
import { rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

function connect(
  onInput: (prompt: string, details: { password: boolean }) => string | Promise<string>,
): Promise<ExecutionClient> {
  return ExecutionClient.connect({ port: sandbox.container.port, onInput });
}

describe("input() and getpass()", () => {
  it("are answered by the client's onInput, with prompt and kind", async () => {
    verifies("OUT-04");
    const asked: unknown[] = [];
    await using client = await connect(async (prompt, details) => {
      asked.push([prompt, details]);
      return details.password ? "secret" : "Ada";
    });
    const { text } = await client.execute(
      "import getpass\nname = input('Name? ')\nword = getpass.getpass('Word: ')\nprint(name, word)",
    );
    expect(text).toBe("Ada secret");
    expect(asked).toEqual([
      ["Name? ", { password: false }],
      ["Word: ", { password: true }],
    ]);
  });

  it("keep every character of the answer", async () => {
    verifies("OUT-04");
    const odd = "é 😀\t\"'\\ \u2028 \ud800";
    await using client = await connect(() => odd);
    expect(await client.execute("a = input()").then(() => client.execute("print(ascii(a))"))).toMatchObject({
      text: String.raw`'\xe9 \U0001f600\t"\'\\ \u2028 \ud800'`,
    });
  });

  it("are answered by the submission's own onInput first", async () => {
    verifies("OUT-04");
    await using client = await connect(() => "the client's");
    expect((await client.execute("print(input())", { onInput: () => "the cell's" })).text).toBe("the cell's");
    expect((await client.execute("print(input())")).text).toBe("the client's");
  });

  it("are errors at once when nobody answers", async () => {
    verifies("OUT-04");
    await using client = await sandbox.connect();
    for (const call of ["input('?')", "__import__('getpass').getpass()"]) {
      const error = await rejection(client.execute(`print('before')\n${call}`), ExecutionError);
      expect(error.errorName).toBe("StdinNotImplementedError");
      expect(error.errorValue).toContain("onInput");
      expect(error.result.text).toBe("before");
    }
  });

  it("are errors in the cell when onInput fails or gives no text", async () => {
    verifies("OUT-04");
    const answers: (() => unknown)[] = [
      () => {
        throw new Error("nobody home");
      },
      () => Promise.reject(new Error("nobody home")),
    ];
    for (const answer of answers) {
      await using client = await connect(answer as () => string);
      const error = await rejection(client.execute("input()"), ExecutionError);
      expect(error.message).toBe("EOFError: onInput failed: nobody home");
      expect((await client.execute("1 + 1")).text).toBe("2");
    }
    await using client = await connect((() => 5) as never);
    expect((await rejection(client.execute("input()"), ExecutionError)).message).toContain("onInput gave number");
  });

  it("don't count as the cell's time", async () => {
    verifies("TIME-04", "OUT-04");
    await using client = await connect(() => new Promise((resolve) => setTimeout(() => resolve("late"), 800)));
    expect((await client.execute("print(input())", { timeoutMs: 400 })).text).toBe("late");
    await rejection(client.execute("input()\nwhile True: pass", { timeoutMs: 400 }), ExecutionTimeoutError);
  });

  it("can be interrupted, and a late answer does no harm", async () => {
    verifies("OUT-04", "TIME-02");
    let answer: (value: string) => void = () => undefined;
    let asked: () => void = () => undefined;
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    await using client = await connect(() => {
      asked();
      return new Promise((resolve) => (answer = resolve));
    });
    const execution = client.submit("input()");
    const failed = rejection(execution.result(), ExecutionError);
    await isAsked;
    await execution.interrupt();
    expect((await failed).errorName).toBe("KeyboardInterrupt");
    answer("too late");
    expect((await client.execute("1 + 1")).text).toBe("2");
  });

  it("are not asked again by who replays them, unless they are still open", async () => {
    verifies("OUT-04", "KERN-09");
    const [asked, elsewhere]: string[][] = [[], []];
    let isAsked: () => void = () => undefined;
    const second = new Promise<void>((resolve) => (isAsked = resolve));
    await using client = await connect((prompt) => {
      asked?.push(prompt);
      if (prompt === "first? ") return "one";
      isAsked();
      return new Promise(() => undefined);
    });
    await using other = await ExecutionClient.attach({
      port: sandbox.container.port,
      kernelId: client.kernelId,
      onInput: (prompt) => {
        elsewhere?.push(prompt);
        return "two";
      },
    });
    const execution = client.submit("print(input('first? '), input('second? '))");
    await second;
    expect((await other.executionById(execution.id).result()).text).toBe("one two");
    expect((await execution.result()).text).toBe("one two");
    expect((await other.executionById(execution.id).result()).text).toBe("one two");
    expect([asked, elsewhere]).toEqual([["first? ", "second? "], ["second? "]]);
  });

  it("work in a thread of the cell, and in pdb", async () => {
    verifies("OUT-04", "KERN-12");
    const lines = ["p 6 * 7", "c"];
    await using client = await connect(() => lines.shift() ?? "thread");
    expect((await client.execute("breakpoint()\nprint('after')")).text).toMatch(/\n42\n[^]*after$/);
    expect((await client.execute("import asyncio\nprint(await asyncio.to_thread(input))")).text).toBe("thread");
  });

  it.each([
    ["asks before it ends", ""],
    ["asks after it has ended", "time.sleep(0.3)\n        "],
  ])("in a thread that outlives its cell, and %s, raise EOFError", async (_, wait) => {
    verifies("OUT-04");
    await using client = await connect(() => new Promise(() => undefined));
    const code =
      `import threading, time\nraised = []\ndef ask():\n    try:\n        ${wait}input()\n` +
      "    except EOFError as error: raised.append(str(error))\n" +
      "thread = threading.Thread(target=ask)\nthread.start()";
    await client.execute(code);
    expect((await client.execute("thread.join(5)\nraised")).text).toContain("has ended");
  });
});
