import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Progress } from "@modelcontextprotocol/client";
import { describe, expect, it } from "vitest";
import { eventually } from "../integration/sandbox.ts";
import { verifies } from "../requirements.ts";
import { cli, MAIN, RunningProcess, startCli } from "./cli.ts";
import { call, connectStdio, containersOf } from "./mcp.ts";

const INSPECTOR = fileURLToPath(
  new URL("../../node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js", import.meta.url),
);
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

describe("ipybox mcp over stdio", () => {
  it("runs cells in one kernel, and starts a container with the first that needs one", async () => {
    verifies("MCP-03", "MCP-05");
    const { client, pid, stderr } = await connectStdio();
    expect(client.getServerVersion()).toMatchObject({ name: "ipybox" });
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(expect.arrayContaining(["execute_ipython_cell", "install_package", "reset"]));
    expect(await containersOf(pid)).toEqual([]);
    expect(await call(client, "execute_ipython_cell", { code: "x = 6\nprint('six')\nx * 7" })).toMatchObject({
      text: "six\n42",
      isError: false,
    });
    expect(await call(client, "execute_ipython_cell", { code: "x + 1" })).toMatchObject({ text: "7" });
    expect(await containersOf(pid)).toHaveLength(1);
    expect((await call(client, "execute_ipython_cell", { code: "y = 1" })).text).toBe("(no output)");
    await client.close();
    await eventually(async () => (await containersOf(pid)).length === 0, 20_000);
    expect(stderr()).toBe("");
  });

  it("speaks the revision without sessions, too", async () => {
    verifies("MCP-03");
    const { client } = await connectStdio([], { versionNegotiation: { mode: { pin: "2026-07-28" } } });
    expect(client.getProtocolEra()).toBe("modern");
    await call(client, "execute_ipython_cell", { code: "x = 1" });
    expect((await call(client, "execute_ipython_cell", { code: "x" })).text).toBe("1");
  });

  it("gives images as images, in their place, and other rich output as text", async () => {
    verifies("MCP-03", "EXEC-08", "OUT-01");
    const { client } = await connectStdio();
    const code = [
      "import base64",
      "from IPython.display import Image, HTML, JSON, SVG, Javascript, display",
      "print('before')",
      `display(Image(data=base64.b64decode("${PNG}")))`,
      "print('after')",
      "display({'text/html': '<b>bold</b><script>1</script>', 'text/plain': 'bold'}, raw=True)",
      "display({'text/html': '<i>only</i>'}, raw=True)",
      "display({'application/json': {'a': [1, 2]}}, raw=True)",
      "display({'application/x-own\\r\\nX: y': 'data'}, raw=True)",
      "display({f'application/x-{n}': '' for n in range(1000)}, raw=True)",
    ].join("\n");
    const { content } = await call(client, "execute_ipython_cell", { code });
    expect(content.slice(0, 2)).toEqual([
      { type: "text", text: "before" },
      { type: "image", mimeType: "image/png", data: PNG },
    ]);
    const text = content[2]?.type === "text" ? content[2].text : "";
    expect(text).toMatch(
      /^after\nbold\n\[text\/html\]\n<i>only<\/i>\n\[application\/json\]\n\{"a":\[1,2\]\}\n\[application\/x-own X: y\]\n\[application\/x-0, application\/x-1, /,
    );
    expect(content).toHaveLength(3);
  });

  it("takes escape sequences and control characters out of what a cell gives", async () => {
    verifies("MCP-03");
    const { client } = await connectStdio();
    const code =
      "print('\\x1b[31mred\\x1b[0m\\x1b]0;title\\x07\\x1b]8;;http://x\\x1b\\\\link\\x1b]8;;\\x1b\\\\ \\x00\\x08\\x9b1mA\\u202eB\\ud800C\\tD')\n" +
      "import os\nos.write(1, b'\\xff\\xfe bytes\\n')\nraise ValueError('\\x1b[2J gone')";
    const { text, isError } = await call(client, "execute_ipython_cell", { code });
    expect(isError).toBe(true);
    expect(text).toMatch(/^redlink A?B\ufffdC\tD\n\ufffd\ufffd bytes\n/);
    expect(text).toContain("ValueError:  gone");
    // eslint-disable-next-line no-control-regex
    expect(text).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f\u202e]/);
  });

  it("gives the traceback of an exception as a result that has failed, and goes on", async () => {
    verifies("MCP-03", "EXEC-07");
    const { client } = await connectStdio();
    const failed = await call(client, "execute_ipython_cell", { code: "print('so far')\n1 / 0" });
    expect(failed.isError).toBe(true);
    expect(failed.text).toMatch(/^so far\n-+\nZeroDivisionError .*ZeroDivisionError: division by zero$/s);
    const slow = await call(client, "execute_ipython_cell", { code: "a = 5\nprint('slow')\nwhile True: pass", timeout: 1 });
    expect(slow.isError).toBe(true);
    expect(slow.text).toMatch(/^slow\nThe cell ran longer than timeoutMs \(1000 ms\)/);
    const died = await call(client, "execute_ipython_cell", { code: "import os; os._exit(3)" });
    expect(died).toMatchObject({ isError: true });
    expect(died.text).toContain("exited with status 3");
    const next = await call(client, "execute_ipython_cell", { code: "'a' in globals()" });
    expect(next.text).toBe("[The kernel is fresh: variables of the cells before are gone.]\nFalse");
  });

  it("cuts huge output in its middle and says so", async () => {
    verifies("MCP-03", "OUT-08");
    const { client } = await connectStdio();
    const { text, content } = await call(client, "execute_ipython_cell", { code: "print('a' * 200_000 + 'z' * 200_000)" });
    expect(content).toHaveLength(1);
    expect(text.length).toBeLessThan(51_000);
    expect(text).toMatch(/^a{35000}\n\[… 350000 characters left out …\]\nz{15000}$/);
    const more = await call(client, "execute_ipython_cell", { code: "for i in range(20): print('b' * 1_000_000)" });
    expect(more.text).toMatch(/\n\[Only the start was kept of 20000020 bytes of output\.\]$/);
  });

  it("tells the progress of a cell while it prints", async () => {
    verifies("MCP-03");
    const { client } = await connectStdio();
    const seen: Progress[] = [];
    const code = "import time\nfor i in range(4):\n    print('step', i)\n    time.sleep(0.3)";
    await client.callTool({ name: "execute_ipython_cell", arguments: { code } }, { onprogress: (update) => seen.push(update) });
    expect(seen.length).toBeGreaterThan(2);
    expect(seen.map(({ message }) => message).join("\n")).toContain("step 1");
    expect(seen.map(({ progress }) => progress)).toEqual(seen.map((_, index) => index + 1));
  });

  it("interrupts the cell of a call that is cancelled, and keeps the state", async () => {
    verifies("MCP-03", "TIME-02");
    const { client } = await connectStdio();
    await call(client, "execute_ipython_cell", { code: "a = 5" });
    const controller = new AbortController();
    const cancelled = client.callTool(
      { name: "execute_ipython_cell", arguments: { code: "print('go')\nwhile True: pass" } },
      { signal: controller.signal, onprogress: () => controller.abort(new Error("enough")) },
    );
    await expect(cancelled).rejects.toThrow("enough");
    expect((await call(client, "execute_ipython_cell", { code: "a" })).text).toBe("5");
  });

  it("resets the kernel, and installs packages as data, never as options or code", async () => {
    verifies("MCP-03", "KERN-02", "EXEC-09");
    const { client } = await connectStdio();
    await call(client, "execute_ipython_cell", { code: "a = 5" });
    expect((await call(client, "reset")).text).toBe("The kernel is fresh: all variables are gone.");
    expect((await call(client, "execute_ipython_cell", { code: "'a' in globals()" })).text).toMatch(/\nFalse$/);
    const option = await call(client, "install_package", { packages: ["--index-url=http://127.0.0.1:9/"] });
    expect(option).toMatchObject({ isError: true });
    expect(option.text).toContain("packages");
    const failed = await call(client, "install_package", { packages: ["no') or print(1) #"] });
    expect(failed).toMatchObject({ isError: true });
    expect(failed.text).toMatch(/^ERROR: .*\nSystemExit: pip has ended with status \d$/s);
  });

  it("says when its container was lost, and goes on with a new one", async () => {
    verifies("MCP-03", "KERN-07");
    const { client, pid } = await connectStdio();
    await call(client, "execute_ipython_cell", { code: "a = 5" });
    const [container] = await containersOf(pid);
    await cli(["cleanup", "--ancestor", container?.image ?? "none"]);
    const lost = await call(client, "execute_ipython_cell", { code: "a" });
    const next = lost.isError ? await call(client, "execute_ipython_cell", { code: "'a' in globals()" }) : lost;
    expect(next.text).toMatch(/^\[The sandbox was lost and is a new one: .*\]\nFalse$/);
  });

  it("leaves nothing when the client is killed in the middle of a cell", async () => {
    verifies("MCP-03", "LIFE-02");
    const script = [
      `import { spawn } from "node:child_process";`,
      `const server = spawn(process.execPath, [${JSON.stringify(MAIN)}, "mcp"], { stdio: ["pipe", "pipe", "inherit"] });`,
      `process.stdout.write(server.pid + "\\n");`,
      `server.stdout.pipe(process.stdout);`,
      `const send = (message) => server.stdin.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\\n");`,
      `send({ id: 1, method: "initialize", params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "c", version: "1" } } });`,
      `send({ method: "notifications/initialized" });`,
      `send({ id: 2, method: "tools/call", params: { name: "execute_ipython_cell", arguments: { code: "print('go')\\nwhile True: pass" }, _meta: { progressToken: 1 } } });`,
    ].join("\n");
    const owner = new RunningProcess(process.execPath, ["--input-type=module", "--eval", script], {});
    await owner.prints('"message":"go"');
    const pid = Number.parseInt(owner.stdout, 10);
    expect(await containersOf(pid)).toHaveLength(1);
    owner.child.kill("SIGKILL");
    await owner.finished;
    await eventually(async () => !isAlive(pid) && (await containersOf(pid)).length === 0, 30_000);
  });

  it("ends on SIGTERM with nothing left", async () => {
    verifies("LIFE-02");
    const { client, pid } = await connectStdio();
    await call(client, "execute_ipython_cell", { code: "1" });
    process.kill(pid, "SIGTERM");
    await eventually(async () => !isAlive(pid) && (await containersOf(pid)).length === 0, 20_000);
  });

  it("takes a wrong command line for what it is", async () => {
    verifies("CLI-01");
    for (const [args, message] of [
      [["--port", "0"], "--port must be a whole number from 1 to 65535"],
      [["--max-sessions", "none"], "--max-sessions must be a whole number, 1 or more"],
      [["--token-file", "x"], "--token-file is for --http alone"],
      [["--dangerously-privileged"], "unknown option '--dangerously-privileged'"],
    ] as const) {
      const { status, stdout, stderr } = await cli(["mcp", ...args]);
      expect([status, stdout]).toEqual([2, ""]);
      expect(stderr).toContain(message);
    }
  });
});

describe("the MCP Inspector", () => {
  it("lists the tools, and calls one", { timeout: 120_000 }, async () => {
    verifies("MCP-05");
    const inspect = async (...args: string[]): Promise<Record<string, unknown>> => {
      const server = [process.execPath, MAIN, "mcp"];
      const { stdout } = await promisify(execFile)(process.execPath, [INSPECTOR, "--cli", ...server, ...args]);
      return JSON.parse(stdout) as Record<string, unknown>;
    };
    const { tools } = await inspect("--method", "tools/list");
    expect(tools).toEqual(expect.arrayContaining([expect.objectContaining({ name: "execute_ipython_cell" })]));
    const called = await inspect(
      "--method",
      "tools/call",
      "--tool-name",
      "execute_ipython_cell",
      "--tool-arg",
      "code=print(6 * 7)",
    );
    expect(called).toEqual({ content: [{ type: "text", text: "42" }] });
  });
});

describe("what is no proper message", () => {
  it("is answered as JSON-RPC says, and the server goes on", async () => {
    verifies("MCP-03", "LIFE-05");
    const server = startCli(["mcp"]);
    const answers = async (line: string): Promise<unknown> => {
      const before = server.stdout.length;
      server.child.stdin.write(`${line}\n`);
      await eventually(() => server.stdout.indexOf("\n", before) !== -1, 20_000);
      const [answer = ""] = server.stdout.slice(before).split("\n");
      return JSON.parse(answer);
    };
    const error = (id: unknown, code: number): object => ({ jsonrpc: "2.0", id, error: { code, message: expect.any(String) } });
    expect(await answers("{ no json")).toEqual(error(null, -32700));
    expect(await answers("[]")).toEqual(error(null, -32600));
    expect(await answers('[{"jsonrpc":"2.0","id":1,"method":"ping"}]')).toEqual(error(null, -32600));
    expect(await answers('{"jsonrpc":"1.0","id":1,"method":"ping"}')).toEqual(error(1, -32600));
    expect(await answers('{"id":"a","method":"ping"}')).toEqual(error("a", -32600));
    expect(await answers('{"jsonrpc":"2.0","id":null,"method":"ping"}')).toEqual(error(null, -32600));
    expect(await answers('{"jsonrpc":"2.0","id":{},"method":"ping"}')).toEqual(error(null, -32600));
    expect(await answers('{"jsonrpc":"2.0","id":2,"method":"ping"}')).toEqual({ jsonrpc: "2.0", id: 2, result: {} });
    expect(await answers('{"jsonrpc":"2.0","id":3,"method":"tools/list"}')).toEqual(error(3, -32600));
    const hello = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "c", version: "1" } };
    expect(await answers(JSON.stringify({ jsonrpc: "2.0", id: 4, method: "initialize", params: hello }))).toMatchObject({
      id: 4,
      result: { protocolVersion: "2025-06-18", serverInfo: { name: "ipybox" } },
    });
    const request = (id: unknown, method: string, params: object): string =>
      JSON.stringify({ jsonrpc: "2.0", id, method, params });
    expect(await answers(request(5, "no/method", {}))).toEqual(error(5, -32601));
    expect(await answers(request(6, "notifications/initialized", {}))).toEqual(error(6, -32601));
    expect(await answers(request(7, "tools/call", { name: "no_tool", arguments: {} }))).toEqual(error(7, -32602));
    expect(await answers(request(8, "tools/call", { name: "__proto__", arguments: {} }))).toMatchObject(error(8, -32602));
    expect(await answers(request(9, "tools/call", { arguments: {} }))).toMatchObject(error(9, -32602));
    expect(await answers(request(10, "tools/call", { name: "reset", arguments: [] }))).toMatchObject(error(10, -32602));
    const failed = (id: unknown, text: unknown): object => ({
      jsonrpc: "2.0",
      id,
      result: { content: [{ type: "text", text }], isError: true },
    });
    const cell = "execute_ipython_cell";
    expect(await answers(request(11, "tools/call", { name: cell, arguments: {} }))).toEqual(
      failed(11, expect.stringContaining("code")),
    );
    expect(await answers(request(12, "tools/call", { name: cell, arguments: { code: 1 } }))).toEqual(
      failed(12, expect.stringContaining("code")),
    );
    expect(await answers(request(13, "tools/call", { name: cell, arguments: { code: "1", network: "internet" } }))).toEqual(
      failed(13, expect.stringContaining("network")),
    );
    expect(await answers(request(14, "tools/call", { name: cell, arguments: { code: "1", timeout: -1 } }))).toEqual(
      failed(14, expect.stringContaining("timeout")),
    );
    // Nobody has asked for these, so nothing is answered.
    for (const line of [
      request(undefined, "notifications/cancelled", { requestId: 999, reason: "?" }),
      request(undefined, "notifications/cancelled", {}),
      request(undefined, "notifications/none", {}),
      '{"jsonrpc":"2.0","id":77,"result":{}}',
      '{"jsonrpc":"2.0","id":78,"error":{"code":1,"message":""}}',
      "",
    ]) {
      server.child.stdin.write(`${line}\n`);
    }
    server.child.stdin.write(`"${"x".repeat(17 * 1_048_576)}"\n`);
    expect(await answers(request(15, "ping", {}))).toMatchObject({ error: { code: -32600 } });
    await eventually(() => server.stdout.includes('"id":15'), 20_000);
    expect(
      server.stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as { jsonrpc: string })
        .every(({ jsonrpc }) => jsonrpc === "2.0"),
    ).toBe(true);
    expect(await server.end()).toMatchObject({ status: 0, stderr: "" });
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
