import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { type ExecutionClient, ExecutionError, IpyboxError, type McpServerConfig, type McpStdioConfig } from "ipybox";
import { verifies } from "../requirements.ts";
import { inspect } from "./docker.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();
const source = (name: string): string => readFileSync(new URL(`../fixtures/mcp/${name}`, import.meta.url), "utf8");
const python: McpStdioConfig = { command: "python", args: ["/app/server.py"], location: "container" };

beforeAll(async () => {
  await using client = await sandbox.connect();
  for (const name of ["server.py", "server.mjs"]) {
    await client.set("source", source(name));
    await client.execute(`open("/app/${name}", "w").write(source)`);
  }
  await client.execute("!pip install -q mcp mcp-server-time");
}, 180_000);

/** Parts of parts, with what most servers in Python have: enums, defaults, optional parameters. */
async function expectWorks(client: ExecutionClient): Promise<void> {
  const code = `
from mcp_tools.python import weigh, add, picture, fail
from mcp_tools import McpToolError
part = weigh.Part(name="table", colours=["red"], parts=[{"name": "leg"}, weigh.Part(name="top")])
result = weigh.run(weigh.Params(part=part, limit=None))
print(type(result) is weigh.Result, result.grams, result.label, result.part.parts[1].name)
print(weigh.run(weigh.Params(part=part, unit="kg", limit=3)))
print(add.run(add.Params(a=2)).result, picture.run().images)
for wrong in ({"name": "x", "colours": ["blue"]}, {"colours": []}, {"name": "x", "size": 1}):
    try:
        weigh.Params(part=wrong)
    except ValueError as e:
        print(type(e).__name__, e.error_count())
try:
    fail.run(fail.Params(text="so be it"))
except McpToolError as e:
    print(e)`;
  const { text } = await client.execute(code);
  const lines = text?.split("\n") ?? [];
  expect(lines.slice(0, 2)).toEqual(["True 3.0 None top", expect.stringContaining("grams=3000.0 label='3'")]);
  expect(lines.slice(2)).toEqual([
    "3 [<image/png, 8 bytes>]",
    ...["ValidationError 1", "ValidationError 1", "ValidationError 1"],
    "Error executing tool fail",
  ]);
}

describe("a server in the container", () => {
  it("is used as one on the host", async () => {
    verifies("MCP-01", "MCP-02");
    await using client = await sandbox.connect();
    await client.addMcpServer("python", python);
    expect(client.mcpServers[0]?.instructions).toBe("Written in Python.");
    await expectWorks(client);
  });

  it("can be one that was installed there", async () => {
    verifies("MCP-01", "MCP-02");
    await using client = await sandbox.connect();
    await client.addMcpServer("time", { command: "mcp-server-time", location: "container" });
    const code = `
from mcp_tools.time.convert_time import run, Params
print(run(Params(source_timezone="UTC", time="12:00", target_timezone="Asia/Tokyo")).time_difference)`;
    expect((await client.execute(code)).text).toBe("+9.0h");
  });

  it("has the rights of cells, and their files, but not their variables", async () => {
    verifies("MCP-02", "SEC-01");
    await using client = await sandbox.connect();
    await client.addMcpServer("python", {
      ...python,
      args: ["/app/server.py", "stdio"],
      env: { SERVER_KEY: "only the server's" },
      cwd: "/tmp",
    });
    const code = `
import os
from mcp_tools.python import read, process
keys = ("Uid", "Gid", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
def rights(status):
    return {key: value for key, _, value in (line.partition(":") for line in status.splitlines()) if key in keys}
own = rights(open("/proc/self/status").read())
theirs = rights(read.run(read.Params(path="/proc/self/status")).result)
print(own == theirs, len(own) == len(keys), theirs["CapEff"].strip(), theirs["NoNewPrivs"].strip())
open("/app/shared.txt", "w").write("from a cell")
print(read.run(read.Params(path="/app/shared.txt")).result)
about = process.run().root
print(about["cwd"], about["key"], os.environ.get("SERVER_KEY"))`;
    expect((await client.execute(code)).text).toBe("True True 0000000000000000 1\nfrom a cell\n/tmp only the server's None");
  });

  it("begins when it is added, is kept, and ends with reset, removal and client", async () => {
    verifies("MCP-02");
    await using observer = await sandbox.connect();
    const exists = async (pid: string): Promise<boolean> =>
      (await observer.execute(`import os; os.path.exists("/proc/${pid}")`)).text === "True";
    const client = await sandbox.connect();
    const pid = async (): Promise<string> =>
      (await client.execute("from mcp_tools.python import process\nprint(process.run().root['pid'])")).text ?? "";
    await client.addMcpServer("python", python);
    const first = await pid();
    expect([await pid(), await exists(first)]).toEqual([first, true]);
    await client.reset();
    await eventually(async () => !(await exists(first)));
    const second = await pid();
    await client.removeMcpServer("python");
    await eventually(async () => !(await exists(second)));
    await client.addMcpServer("python", python);
    const third = await pid();
    await client.disconnect();
    await eventually(async () => !(await exists(third)));
  });

  it("that ends is begun anew with the next call", async () => {
    verifies("MCP-02");
    await using client = await sandbox.connect();
    await client.addMcpServer("own", { command: "node", args: ["/app/server.mjs"], location: "container" });
    await client.execute("from mcp_tools.own import crash, count, big");
    expect((await client.execute("count.run(), count.run()")).text).toBe("('1', '2')");
    const error = await rejection(client.execute("crash.run()"), ExecutionError);
    expect(error.message).toBe("McpServerError: The MCP server own can't be used: it has ended or closed the connection.");
    expect((await client.execute("count.run(), len(big.run(big.Params(length=5_000_000)))")).text).toBe("('1', 5000000)");
  });

  it.each<readonly [string, McpServerConfig, string]>([
    ["no such command", { command: "no-such-command", location: "container" }, "No such file or directory: 'no-such-command'"],
    ["it ends at once", { command: "node", args: ["/app/server.mjs", "die"], location: "container" }, "no licence"],
    [
      "it is silent",
      { command: "node", args: ["/app/server.mjs", "silent"], location: "container", startTimeoutMs: 1_000 },
      "startTimeoutMs (1000 ms)",
    ],
  ])("that can't be started is an error that says why: %s", async (_, config, part) => {
    verifies("MCP-02");
    await using client = await sandbox.connect();
    const error = await rejection(client.addMcpServer("own", config), IpyboxError);
    expect([error.code, error.message]).toEqual(["mcp_server_failed", expect.stringContaining(part)]);
    expect((await client.execute("1 + 1")).text).toBe("2");
  });
});

describe("a server in Python over HTTP", () => {
  it.each([
    ["streamable HTTP", "streamable-http", 9001, "mcp"],
    ["SSE", "sse", 9002, "sse"],
  ] as const)("speaks %s", async (_, transport, port, path) => {
    verifies("MCP-01");
    await using runner = await sandbox.connect();
    await runner.execute(`import subprocess; server = subprocess.Popen(["python", "/app/server.py", "${transport}", "${port}"])`);
    const { Networks: networks } = (await inspect(sandbox.container.id))?.NetworkSettings ?? {};
    const url = `http://${Object.values(networks ?? {})[0]?.IPAddress}:${port}/${path}`;
    await eventually(() =>
      fetch(url, { method: "OPTIONS" }).then(
        () => true,
        () => false,
      ),
    );
    await using client = await sandbox.connect();
    await client.addMcpServer("python", transport === "sse" ? { type: "sse", url } : { url });
    await expectWorks(client);
  });
});
