import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { verifies } from "../requirements.ts";
import { cli, startCli, temporaryDirectory } from "./cli.ts";
import { TerminalSession } from "./terminal.ts";

const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const SHOW = `import base64; from IPython.display import Image; display(Image(data=base64.b64decode("${PNG}")))`;

describe("ipybox repl in a terminal", () => {
  it("runs one cell after the other, blocks too, and goes on after an exception", async () => {
    verifies("CLI-01");
    const terminal = await startTerminal();
    await terminal.shows("In [1]: ");
    expect(await terminal.containers()).toHaveLength(1);
    terminal.type("x = 40\r");
    await terminal.shows("In [2]: ");
    terminal.type("x + 2\r");
    await terminal.shows("Out[2]: 42\r\n\r\n");
    await terminal.shows("In [3]: ");
    terminal.type("for i in range(2):\r");
    await terminal.shows("   ...: ");
    terminal.type("    print('line', i)\r");
    await terminal.shows("   ...: ");
    terminal.type("\r");
    await terminal.shows("line 0\r\nline 1\r\n");
    await terminal.shows("In [4]: ");
    terminal.type("1 / 0\r");
    await terminal.shows("ZeroDivisionError: division by zero\r\n");
    await terminal.shows("In [5]: ");
    terminal.type("print(x, end='')\r");
    await terminal.shows("40\r\n");
    await terminal.shows("In [6]: ");
    terminal.type("exit\r");
    expect((await terminal.finished).status).toBe(0);
    expect(await terminal.containers()).toEqual([]);
  });

  it("interrupts a running cell on Ctrl-C, forgets a line that is typed, and ends on Ctrl-D", async () => {
    verifies("CLI-01", "LIFE-02");
    const terminal = await startTerminal();
    await terminal.shows("In [1]: ");
    terminal.type("a = 5; print('g' + 'o')\r");
    await terminal.shows("go\r\n");
    await terminal.shows("In [2]: ");
    terminal.type("import time; print('st' + 'art'); time.sleep(100)\r");
    await terminal.shows("start\r\n");
    terminal.type("\u0003");
    await terminal.shows("KeyboardInterrupt");
    await terminal.shows("In [3]: ");
    terminal.type("a = 6\u0003");
    await terminal.shows("^C\r\n");
    await terminal.shows("In [3]: ");
    terminal.type("a\r");
    await terminal.shows("Out[3]: 5\r\n");
    await terminal.shows("In [4]: ");
    terminal.type("\u0004");
    expect((await terminal.finished).status).toBe(0);
    expect(await terminal.containers()).toEqual([]);
  });

  it("never ends on Ctrl-C, whether that comes before a cell begins, at once with it, or when it has just ended", async () => {
    verifies("CLI-01");
    const terminal = await startTerminal();
    await terminal.shows("In [1]: ");
    terminal.type("while True: pass\r\u0003");
    await terminal.shows("In [");
    for (const pauseMs of [0, 1, 2, 5, 10, 20, 40]) {
      terminal.type("pass\r");
      await delay(pauseMs);
      terminal.type("\u0003");
      await terminal.shows("In [");
    }
    terminal.type("\u0003print('still' + ' here')\r");
    await terminal.shows("still here\r\n");
    await terminal.shows("In [");
    terminal.type("\u0004");
    expect((await terminal.finished).status).toBe(0);
  });

  it("takes a paste as one cell, blank lines and all", async () => {
    verifies("CLI-01");
    const terminal = await startTerminal();
    await terminal.shows("In [1]: ");
    terminal.type("\u001b[200~def f():\r    a = 1\r\r    return a\r\rf() + 1\u001b[201~\r");
    await terminal.shows("Out[1]: 2\r\n");
    await terminal.shows("In [2]: ");
    terminal.type("\u0004");
    expect((await terminal.finished).status).toBe(0);
  });

  it("tells that a kernel has died, goes on with a fresh one, and shows what threads print between the cells", async () => {
    verifies("CLI-01", "KERN-05", "OUT-06");
    const terminal = await startTerminal();
    await terminal.shows("In [1]: ");
    terminal.type("import os; os._exit(3)\r");
    await terminal.shows("exited with status 3");
    await terminal.shows("In [1]: ");
    terminal.type("import threading; threading.Timer(0.3, lambda: print('la' + 'te')).start()\r");
    await terminal.shows("In [2]: ");
    terminal.type("7");
    await terminal.shows("late\r\n");
    await terminal.shows("In [2]: 7");
    terminal.type("\r");
    await terminal.shows("Out[2]: 7\r\n");
    await terminal.shows("In [3]: ");
    terminal.type("quit()\r");
    expect((await terminal.finished).status).toBe(0);
  });

  it("completes names, and asks for what input() and getpass() want", async () => {
    verifies("CLI-01", "OUT-04", "OUT-10");
    const state = await temporaryDirectory();
    const terminal = await startTerminal({ XDG_STATE_HOME: state });
    await terminal.shows("In [1]: ");
    terminal.type("a_long_name = 5\r");
    await terminal.shows("In [2]: ");
    terminal.type("a_lo\t");
    await terminal.shows("a_long_name");
    terminal.type(" + 1\r");
    await terminal.shows("Out[2]: 6\r\n");
    await terminal.shows("In [3]: ");
    terminal.type("import getpass; (input('Na' + 'me? '), getpass.getpass('Se' + 'cret? '))\r");
    await terminal.shows("Name? ");
    terminal.type("Ada\r");
    await terminal.shows("Secret? ");
    terminal.type("hush\r");
    await terminal.shows("Out[3]: ('Ada', 'hush')");
    expect(terminal.stdout.split("hush")).toHaveLength(2);
    await terminal.shows("In [4]: ");
    terminal.type("input('Mo' + 're? ')\r");
    await terminal.shows("More? ");
    terminal.type("\u0003");
    await terminal.shows("KeyboardInterrupt");
    await terminal.shows("In [5]: ");
    terminal.type("\u0004");
    expect((await terminal.finished).status).toBe(0);
    const history = await readFile(join(state, "ipybox/history"), "utf8");
    expect(history).toContain("a_long_name + 1\n");
    expect(history).not.toMatch(/^(?:Ada|hush)$/m);
  });

  it("goes on when the kernel dies while it asks", async () => {
    verifies("CLI-01", "OUT-04", "KERN-05");
    const terminal = await startTerminal();
    await terminal.shows("In [1]: ");
    terminal.type(
      "import getpass, os, threading; threading.Timer(0.5, lambda: os._exit(3)).start(); getpass.getpass('Se' + 'cret? ')\r",
    );
    await terminal.shows("Secret? ");
    await terminal.shows("exited with status 3");
    await terminal.shows("In [1]: ");
    terminal.type("print('go' + 'es on')\r");
    await terminal.shows("goes on\r\n");
    await terminal.shows("In [2]: ");
    terminal.type("\u0004");
    expect((await terminal.finished).status).toBe(0);
  });

  it("asks behind all that the cell has printed before", async () => {
    verifies("CLI-01", "OUT-04");
    const terminal = await startTerminal();
    await terminal.shows("In [1]: ");
    terminal.type("[print('line', i) for i in range(300)]; input('Wh' + 'at? ')\r");
    await terminal.shows("line 299\r\n");
    await terminal.shows("What? ");
    terminal.type("this\r");
    await terminal.shows("Out[1]: 'this'");
    terminal.type("\u0004");
    expect((await terminal.finished).status).toBe(0);
  });

  it("ends on a Ctrl-D that was typed while a cell ran, behind the lines before it", async () => {
    verifies("CLI-01");
    const terminal = await startTerminal();
    await terminal.shows("In [1]: ");
    terminal.type("import time; print('be' + 'gun'); time.sleep(1)\r");
    await terminal.shows("begun\r\n");
    terminal.type("print('ah' + 'ead')\r\u0004");
    expect((await terminal.finished).status).toBe(0);
    await terminal.shows("ahead\r\n");
  });

  it("does not end on a Ctrl-D behind the begin of a line, nor on Ctrl-Space", async () => {
    verifies("CLI-01");
    const terminal = await startTerminal();
    await terminal.shows("In [1]: ");
    terminal.type("import time; print('be' + 'gun'); time.sleep(1)\r");
    await terminal.shows("begun\r\n");
    terminal.type("print('go' + \u0004");
    await terminal.shows("In [2]: ");
    await terminal.shows("print('go' + ");
    terminal.type("'es on')\r");
    await terminal.shows("goes on\r\n");
    await terminal.shows("In [3]: ");
    await delay(100);
    terminal.type("\0");
    await delay(100);
    terminal.type("print('st' + 'ill')\r");
    await terminal.shows("still\r\n");
    terminal.type("\u0004");
    expect((await terminal.finished).status).toBe(0);
  });

  it("remembers what was typed in the session before", async () => {
    verifies("CLI-01");
    const state = await temporaryDirectory();
    const first = await startTerminal({ XDG_STATE_HOME: state });
    await first.shows("In [1]: ");
    first.type("'first' + ' session'\r");
    await first.shows("first session");
    await first.shows("In [2]: ");
    first.type("exit(3)\r");
    expect((await first.finished).status).toBe(3);
    expect(await readFile(join(state, "ipybox/history"), "utf8")).toBe("'first' + ' session'\nexit(3)\n");

    const second = await startTerminal({ XDG_STATE_HOME: state });
    await second.shows("In [1]: ");
    second.type("\u001b[A\u001b[A\r");
    await second.shows("Out[1]: 'first session'");
    await second.shows("In [2]: ");
    second.type("\u0004");
    expect((await second.finished).status).toBe(0);
  });

  it("shows plots where the terminal can, and saves them where it can't", async () => {
    verifies("CLI-01");
    const directory = await temporaryDirectory();
    const kitty = await startTerminal({ KITTY_WINDOW_ID: "1" }, directory);
    await kitty.shows("In [1]: ");
    kitty.type(`${SHOW}\r`);
    await kitty.shows(`\u001b_Ga=T,f=100,q=2,m=0;${PNG}\u001b\\\r\n`);
    await kitty.shows("In [2]: ");
    kitty.type("\u0004");
    await kitty.finished;
    expect(await readdir(directory)).toEqual([]);

    const plain = await startTerminal({}, directory);
    await plain.shows("In [1]: ");
    plain.type(`${SHOW}\r`);
    await plain.shows("Saved plot-1.png\r\n");
    expect((await readFile(join(directory, "plot-1.png"))).toString("base64")).toBe(PNG);
  });

  it.each([
    { signal: "SIGTERM", status: 143 },
    { signal: "SIGINT", status: 130 },
  ] as const)("removes the container on $signal", async ({ signal, status }) => {
    verifies("LIFE-02");
    const terminal = await startTerminal();
    await terminal.shows("In [1]: ");
    terminal.signal(signal);
    expect((await terminal.finished).status).toBe(status);
    expect(await terminal.containers()).toEqual([]);
  });

  it("ends by a SIGINT that comes with the prompt", async () => {
    verifies("CLI-01", "LIFE-02");
    const kill = `process.stdout.write = new Proxy(process.stdout.write, {
      apply(write, self, args) {
        if (String(args[0]).includes("In [1]: ")) process.kill(process.pid, "SIGINT");
        return Reflect.apply(write, self, args);
      } });`;
    const terminal = await startTerminal({ NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(kill)}` });
    expect((await terminal.finished).status).toBe(130);
    expect(await terminal.containers()).toEqual([]);
  });

  it("removes the container when the terminal is closed", async () => {
    verifies("LIFE-02");
    const terminal = await startTerminal();
    await terminal.shows("In [1]: ");
    terminal.child.kill("SIGKILL");
    await terminal.finished;
    await expect.poll(() => terminal.containers(), { timeout: 20_000 }).toEqual([]);
  });
});

describe("ipybox repl with a pipe", () => {
  it("runs each complete block and ends with the status of the last error", async () => {
    verifies("CLI-01");
    const input =
      "x = 1\n\nfor i in range(2):\n    print(i)\nprint('after')\n\nimport sys; sys.exit(3)\nx + 1\nif x:\n    print('end')";
    const { status, stdout } = await cli(["repl"], { input });
    expect(stdout).toBe("0\n1\nafter\n2\nend\n");
    expect(status).toBe(3);
  });

  it("runs a block as soon as it is complete", async () => {
    verifies("CLI-01");
    const running = startCli(["repl", "-e", "NAME=value"]);
    running.child.stdin.write("import os; os.environ['NAME']\n");
    await running.prints("'value'\n");
    running.child.stdin.write("1 / 0\n");
    await running.prints("division by zero", "stderr");
    running.child.stdin.write("def f():\n  return 'called'\n\nf()\n");
    await running.prints("'called'\n");
    running.child.stdin.write("quit\nprint('not any more')\n");
    const { status, stdout } = await running.finished;
    expect([status, stdout]).toEqual([1, "'value'\n'called'\n"]);
    expect(await running.containers()).toEqual([]);
  });

  it("has a limit of time for each cell", async () => {
    verifies("CLI-01", "TIME-01");
    const { status, stdout, stderr } = await cli(["repl", "--timeout", "0.5"], { input: "a = 5\nwhile True: pass\n\na\n" });
    expect([status, stdout]).toEqual([124, "5\n"]);
    expect(stderr).toContain("error: The cell ran longer than --timeout 0.5 and was ended.\n");
  });

  it("interrupts the cell on SIGINT, and removes the container on SIGTERM", async () => {
    verifies("LIFE-02");
    const running = startCli(["repl"]);
    running.child.stdin.write("while True: print('go')\n");
    await running.prints("go\n");
    running.child.kill("SIGINT");
    await running.prints("KeyboardInterrupt", "stderr");
    running.child.stdin.write("'still here'\n");
    await running.prints("'still here'\n");
    running.child.kill("SIGTERM");
    expect((await running.finished).status).toBe(143);
    expect(await running.containers()).toEqual([]);
  });
});

async function startTerminal(env: NodeJS.ProcessEnv = {}, cwd?: string): Promise<TerminalSession> {
  const state = await temporaryDirectory();
  return new TerminalSession(["repl"], { env: { XDG_STATE_HOME: state, ...env }, ...(cwd === undefined ? {} : { cwd }) });
}
