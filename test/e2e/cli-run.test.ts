import { once } from "node:events";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { OWNER_LABEL } from "../../src/protocol/labels.ts";
import { containersWith } from "../integration/docker.ts";
import { eventually } from "../integration/sandbox.ts";
import { verifies } from "../requirements.ts";
import { cli, startCli, temporaryDirectory } from "./cli.ts";
import { TerminalSession } from "./terminal.ts";

const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const PLOTS = [
  "import base64",
  "from IPython.display import Image, SVG",
  `png = Image(data=base64.b64decode("${PNG}"))`,
  "shown = display(png, display_id=True)",
  "display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>'))",
  "shown.update(png)",
  "png",
].join("\n");

describe("ipybox run", () => {
  it("gives the streams of a file as they are, and values on lines of their own", async () => {
    verifies("CLI-01");
    const directory = await temporaryDirectory();
    const file = join(directory, "cell.py");
    await writeFile(
      file,
      "import sys\nprint('to stdout', end='')\nprint('to stderr', end='', file=sys.stderr)\ndisplay(1)\n2 + 2",
    );
    expect(await cli(["run", file])).toEqual({ status: 0, stdout: "to stdout\n1\n4\n", stderr: "to stderr" });
  });

  it("runs standard input, IPython's syntax too, and adds nothing to what it prints", async () => {
    verifies("CLI-01");
    const { status, stdout, stderr } = await cli(["run", "-"], { input: "x = !echo a\nprint(x[0], end='')\nprint.__doc__?" });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^a\n.*Docstring/s);
    const exact = await cli(["run", "-"], { input: "print('\\x1b[31mred\\x1b[0m', end='')" });
    expect(exact.stdout).toBe("\u001b[31mred\u001b[0m");
  });

  it("prints while the cell runs, and shows a host directory to it", async () => {
    verifies("CLI-01", "CONT-05");
    const directory = await temporaryDirectory();
    const shared = join(directory, "shared");
    const running = startCli(["run", "-b", "shared:data", "-"], { cwd: directory });
    running.child.stdin.end("import os\nprint('waiting')\nwhile not os.path.exists('data/go'): pass\nprint('went')");
    await running.prints("waiting\n");
    await writeFile(join(shared, "go"), "");
    expect(await running.finished).toEqual({ status: 0, stdout: "waiting\nwent\n", stderr: "" });
  });

  it("binds read-only with :ro", async () => {
    verifies("CONT-05");
    const directory = await temporaryDirectory();
    await mkdir(join(directory, "data"));
    await writeFile(join(directory, "data/name"), "value");
    const input = "print(open('/app/in/name').read())\nopen('/app/in/other', 'w')";
    const { status, stdout, stderr } = await cli(["run", "--bind", "./data:/app/in:ro", "-"], { cwd: directory, input });
    expect([status, stdout]).toEqual([1, "value\n"]);
    expect(stderr).toContain("Read-only file system");
  });

  it("ends with 1 and the traceback on stderr when the cell raises, without a stack of its own", async () => {
    verifies("CLI-01");
    const { status, stdout, stderr } = await cli(["run", "-"], { input: "print('before')\ndef f(): return 1 / 0\nf()" });
    expect([status, stdout]).toEqual([1, "before\n"]);
    expect(stderr).toMatch(/^-+\nZeroDivisionError .*----> 2 .*\nZeroDivisionError: division by zero\n$/s);
    expect(stderr).not.toMatch(/\bat .*\.[jt]s|node:/);
  });

  it.each([
    { end: "sys.exit(3)", status: 3, message: "" },
    { end: "raise SystemExit", status: 0, message: "" },
    { end: "sys.exit('no luck')", status: 1, message: "no luck\n" },
    { end: "import os; os._exit(4)", status: 4, message: "error: The cell's process exited with status 4.\n" },
  ])("ends with $status after $end", async ({ end, status, message }) => {
    verifies("CLI-01");
    const finished = await cli(["run", "-"], { input: `import sys\nprint('before')\n${end}\nprint('after')` });
    expect([finished.status, finished.stdout]).toEqual([status, "before\n"]);
    expect(finished.stderr).toBe(message);
  });

  it("ends with 124 when the cell runs longer than --timeout, with all output so far", async () => {
    verifies("CLI-01", "TIME-01");
    const input = "print('before')\nwhile True: pass";
    const { status, stdout, stderr } = await cli(["run", "--timeout", "0.5", "-"], { input });
    expect([status, stdout]).toEqual([124, "before\n"]);
    expect(stderr).toMatch(/KeyboardInterrupt.*\nerror: The cell ran longer than --timeout 0.5 and was ended.\n$/s);
  });

  it("gives the cell what stands behind the file as its arguments", async () => {
    verifies("CLI-01");
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "args.py"), "import sys\nprint(sys.argv)\nIn[-1][:10], len(In)");
    const words = ["-v", "--timeout", "0", 'it\'s "quoted" \\ é', "--", "\u2028"];
    const { status, stdout } = await cli(["run", "args.py", ...words], { cwd: directory });
    expect([status, stdout]).toEqual([
      0,
      `['args.py', '-v', '--timeout', '0', 'it\\'s "quoted" \\\\ é', '--', '\\u2028']\n('import sys', 2)\n`,
    ]);
    expect((await cli(["run", "-", "a"], { input: "import sys; sys.argv" })).stdout).toBe("['-', 'a']\n");
  });

  it("answers input() and getpass() with lines of standard input, behind all that was printed before", async () => {
    verifies("CLI-01", "OUT-04");
    const directory = await temporaryDirectory();
    const code = [
      "import getpass",
      "for i in range(200): print(i)",
      "name = input('Name? ')",
      "print('Hello', name, getpass.getpass('Secret? '))",
      "input('More? ')",
    ];
    await writeFile(join(directory, "ask.py"), code.join("\n"));
    const { status, stdout, stderr } = await cli(["run", "ask.py"], { cwd: directory, input: "Ada\nhush\n" });
    const counted = Array.from({ length: 200 }, (_, i) => `${i}\n`).join("");
    expect([status, stdout]).toEqual([1, `${counted}Name? Secret? Hello Ada hush\nMore? `]);
    expect(stderr).toContain("EOFError");
    const json = await cli(["run", "--json", "ask.py"], { cwd: directory, input: "Ada\nhush\nno\n" });
    expect(JSON.parse(json.stdout)).toMatchObject({ stdout: `${counted}Hello Ada hush\n`, exitCode: 0 });
    expect(json.stderr).toBe("Name? Secret? More? ");
  });

  it("asks at a terminal, shows no password, and is interrupted by Ctrl-C while it asks", async () => {
    verifies("CLI-01", "OUT-04");
    const directory = await temporaryDirectory();
    await writeFile(
      join(directory, "ask.py"),
      "import getpass\nprint(input('Na' + 'me? '), len(getpass.getpass('Se' + 'cret? ')))\ninput('Mo' + 're? ')",
    );
    const terminal = new TerminalSession(["run", "ask.py"], { cwd: directory });
    await terminal.shows("Name? ");
    terminal.type("Ada\r");
    await terminal.shows("Secret? ");
    terminal.type("hush\r");
    await terminal.shows("Ada 4\r\n");
    expect(terminal.stdout).not.toContain("hush");
    await terminal.shows("More? ");
    terminal.type("\u0003");
    await terminal.shows("KeyboardInterrupt");
    expect((await terminal.finished).status).toBe(130);
    expect(await terminal.containers()).toEqual([]);
  });

  it("gives cells the variables of flags and files", async () => {
    verifies("CLI-01", "CONT-06");
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "vars"), '# a comment\nA=file\nB="as it is" # too\nC\nNOT_SET\n\n  D=\n');
    const input = "import os\nprint([os.environ.get(name) for name in ['A', 'B', 'C', 'D', 'E', 'NOT_SET', 'NEITHER']])";
    const args = ["run", "--env-file", "vars", "-e", "A=fl=ag ü", "--env", "E", "-e", "NEITHER", "-"];
    const { stdout } = await cli(args, { cwd: directory, input, env: { C: "mine", E: "own" } });
    expect(stdout).toBe(`['fl=ag ü', '"as it is" # too', 'mine', '', 'own', None, None]\n`);
  });

  it("passes on the limits and the port", async () => {
    verifies("CONT-11", "CONT-07");
    const port = await freePort();
    const running = startCli(["run", "--memory", "128m", "--cpus", "0.5", "--port", String(port), "-"]);
    const memory = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    running.child.stdin.end(
      `import os\nprint(*[open(path).read() for path in ${JSON.stringify(memory)} if os.path.exists(path)])\nwhile True: pass`,
    );
    await running.prints(String(128 * 1024 * 1024));
    expect((await running.containers()).map((container) => container.port)).toEqual([port]);
  });

  it("saves plots under the next free names and tells where", async () => {
    verifies("CLI-01");
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "plot-1.png"), "mine");
    const { status, stdout, stderr } = await cli(["run", "-"], { cwd: directory, input: PLOTS });
    expect([status, stdout]).toEqual([0, ""]);
    expect(stderr).toBe("Saved plot-2.png\nSaved plot-3.svg\nSaved plot-2.png\nSaved plot-4.png\n");
    expect((await readdir(directory)).sort()).toEqual(["plot-1.png", "plot-2.png", "plot-3.svg", "plot-4.png"]);
    expect(await readFile(join(directory, "plot-1.png"), "utf8")).toBe("mine");
    expect((await readFile(join(directory, "plot-4.png"))).toString("base64")).toBe(PNG);
  });

  it("ends with 1 when a plot can't be saved, after all else is done", async () => {
    verifies("CLI-01");
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "file"), "");
    const input = `${PLOTS}\nprint('done')`;
    const { status, stdout, stderr } = await cli(["run", "--output", "file", "-"], { cwd: directory, input });
    expect([status, stdout]).toEqual([1, "done\n"]);
    expect(stderr).toContain("error: A plot can't be saved: ");
  });

  it("gives one JSON document with --json", async () => {
    verifies("CLI-01");
    const directory = await temporaryDirectory();
    const input = `import sys\nprint('\\x1b[1mout')\nprint('err', file=sys.stderr)\n${PLOTS.replace(/png$/, "display(png)")}\n1 / 0`;
    const { status, stdout, stderr } = await cli(["run", "--json", "--output", "plots", "-"], { cwd: directory, input });
    expect([status, stderr]).toEqual([1, ""]);
    const { durationMs, error, outputs, totalBytes, ...document } = JSON.parse(stdout);
    expect(document).toEqual({
      text: "\u001b[1mout\nerr\n<IPython.core.display.SVG object>",
      stdout: "\u001b[1mout\n",
      stderr: "err\n",
      images: [
        { mimeType: "image/png", width: 1, height: 1, path: "plots/plot-1.png" },
        { mimeType: "image/svg+xml", width: 0, height: 0, path: "plots/plot-2.svg" },
        { mimeType: "image/png", width: 1, height: 1, path: "plots/plot-3.png" },
      ],
      executionCount: 1,
      truncated: false,
      exitCode: 1,
    });
    expect(error).toMatchObject({ name: "ZeroDivisionError", value: "division by zero" });
    expect(error.traceback).toContain("1 / 0");
    expect(outputs.map(({ kind }: { kind: string }) => kind)).toEqual([
      ...["stream", "stream", "display", "display", "display", "error"],
    ]);
    expect(outputs[2].data["image/png"].trim()).toBe(PNG);
    expect(durationMs).toBeGreaterThan(0);
    expect(totalBytes).toBeGreaterThan(0);
    expect((await readFile(join(directory, "plots/plot-1.png"))).toString("base64")).toBe(PNG);
  });
});

describe("ipybox run that is stopped", () => {
  it("interrupts the cell on Ctrl-C, ends with 130 and removes the container", async () => {
    verifies("CLI-01", "LIFE-02");
    const running = startCli(["run", "-"]);
    running.child.stdin.end("try:\n  print('go')\n  while True: pass\nfinally:\n  print('tidied up')");
    await running.prints("go\n");
    expect(await running.containers()).toHaveLength(1);
    running.child.kill("SIGINT");
    const { status, stdout, stderr } = await running.finished;
    expect([status, stdout]).toEqual([130, "go\ntidied up\n"]);
    expect(stderr).toContain("KeyboardInterrupt");
    expect(await running.containers()).toEqual([]);
  });

  it("does not wait for the cell after a second Ctrl-C", async () => {
    verifies("LIFE-02");
    const running = startCli(["run", "-"]);
    const ticks = "  try:\n    time.sleep(0.1)\n    n += 1; print('tick', n)\n  except KeyboardInterrupt:\n    print('ignored')";
    running.child.stdin.end(`import time\nn = 0\nwhile True:\n${ticks}`);
    await running.prints("tick 1\n");
    running.child.kill("SIGINT");
    await running.prints("ignored\n");
    // Keys that follow faster than this are one.
    const seen = Number(/tick (\d+)\n[^]*ignored/.exec(running.stdout)?.[1]);
    await running.prints(`tick ${seen + 4}\n`);
    running.child.kill("SIGINT");
    const { status, stderr } = await running.finished;
    expect([status, stderr]).toEqual([130, ""]);
    expect(await running.containers()).toEqual([]);
  });

  it.each([
    { signal: "SIGTERM", status: 143 },
    { signal: "SIGHUP", status: 129 },
  ] as const)("removes the container on $signal, and ends with $status", async ({ signal, status }) => {
    verifies("CLI-01", "LIFE-02");
    const running = startCli(["run", "-"]);
    running.child.stdin.end("print('go')\nwhile True: pass");
    await running.prints("go\n");
    running.child.kill(signal);
    expect(await running.finished).toEqual({ status, stdout: "go\n", stderr: "" });
    expect(await running.containers()).toEqual([]);
  });

  it("leaves nothing when it is stopped while it starts", async () => {
    verifies("LIFE-02");
    const running = startCli(["run", "-"]);
    running.child.stdin.end("print('never')");
    // It is there for half a second: `ipybox ls` is too slow to see it.
    const owner = `${OWNER_LABEL}=${running.child.pid}@${hostname()}`;
    await eventually(async () => (await containersWith(owner)).length > 0, 30_000);
    running.child.kill("SIGTERM");
    expect((await running.finished).status).toBe(143);
    expect(await running.containers()).toEqual([]);
  });

  it("ends and removes the container when nobody reads stdout any more", async () => {
    verifies("LIFE-02");
    const running = startCli(["run", "-"]);
    running.child.stdin.end("i = 0\nwhile True:\n  print(i := i + 1)");
    await running.prints("1\n");
    running.child.stdout.destroy();
    expect((await running.finished).status).toBe(141);
    expect(await running.containers()).toEqual([]);
  });

  it("can be stopped while the reader of stdout does not read", async () => {
    verifies("LIFE-02");
    const running = startCli(["run", "-"]);
    running.child.stdout.pause();
    running.child.stdin.end("while True: print('x' * 10_000)");
    await eventually(() => running.child.stdout.readableLength > 10_000, 30_000);
    const exited = once(running.child, "exit");
    running.child.kill("SIGTERM");
    expect(await exited).toEqual([143, null]);
    running.child.stdout.resume();
    expect(await running.containers()).toEqual([]);
  });
});

describe("a wrong command line", () => {
  it.each([
    { args: ["run", "missing.py"], tells: ['"missing.py"', "no such file"] },
    { args: ["run", "."], tells: ['"."', "EISDIR"] },
    { args: ["run"], tells: ["missing required argument 'file'"] },
    { args: ["run", "--nope", "-"], tells: ["unknown option '--nope'"] },
    { args: ["nope"], tells: ["unknown command 'nope'"] },
    { args: ["run", "-b", "data", "-"], tells: ["--bind", '"data"', "HOST:PATH"] },
    { args: ["run", "-b", "data:../etc", "-"], tells: ["--bind", '"data:../etc"', "below /app"] },
    { args: ["run", "-b", "a:x", "-b", "b:x", "-"], tells: ["--bind", '"b:x"'] },
    { args: ["run", "-b", "a:x", "-b", "a:y", "-"], tells: ["--bind", '"a:y"', "bound already"] },
    { args: ["run", "-e", "=secret", "-"], tells: ["--env", "NAME=VALUE"] },
    { args: ["run", "--memory", "10m", "-"], tells: ["--memory", '"10m"', "64m or more"] },
    { args: ["run", "--memory", "2x", "-"], tells: ["--memory", '"2x"'] },
    { args: ["run", "--cpus", "0", "-"], tells: ["--cpus", '"0"', "0.01 or more"] },
    { args: ["run", "--port", "70000", "-"], tells: ["--port", '"70000"', "65535"] },
    { args: ["run", "--timeout", "soon", "-"], tells: ["--timeout", '"soon"', "seconds"] },
    { args: ["repl", "--timeout", "-1"], tells: ["--timeout", '"-1"'] },
    { args: ["run", "-t", "No Image", "-"], tells: ["--tag", '"No Image"', "NAME:TAG"] },
  ])("is told: $args", async ({ args, tells }) => {
    verifies("CLI-01");
    const { status, stdout, stderr } = await cli(args);
    expect([status, stdout]).toEqual([2, ""]);
    for (const text of tells) expect(stderr).toContain(text);
    expect(stderr).not.toContain("secret");
    expect(stderr).not.toMatch(/^ +at /m);
  });

  it("is told: a --env-file that is missing, though by Node, which looks for it first", async () => {
    verifies("CLI-01");
    const { status, stdout, stderr } = await cli(["run", "--env-file", "missing-file", "-"]);
    expect(status).toBeGreaterThan(0);
    expect([stdout, stderr]).toEqual(["", expect.stringContaining("missing-file")]);
  });

  it("names the line of a wrong --env-file, and not what may be a secret", async () => {
    verifies("CLI-01");
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "vars"), "A=1\n\nMY KEY=secret\n");
    const { status, stderr } = await cli(["run", "--env-file", "vars", "-"], { cwd: directory });
    expect(status).toBe(2);
    expect(stderr).toContain('Line 3 of "vars"');
    expect(stderr).not.toContain("secret");
  });
});

it("tells within 5 s that no daemon answers", async () => {
  verifies("CONT-10", "CLI-01");
  const startedAt = performance.now();
  const finished = await cli(["run", "-"], { input: "1", env: { DOCKER_HOST: "unix:///nonexistent" } });
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  expect([finished.status, finished.stdout]).toEqual([1, ""]);
  expect(finished.stderr).toMatch(
    /^error: The Docker daemon at unix:\/\/\/nonexistent .*can't be reached.*\n {2}code: daemon_unreachable\n$/,
  );
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
