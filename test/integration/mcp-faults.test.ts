import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { type ExecutionClient, ExecutionError, IpyboxError, type McpServer, type McpServerConfig } from "ipybox";
import { verifies } from "../requirements.ts";
import { fixture, runs } from "./mcp/servers.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();
const KEY = "s3cret-key-of-the-server";

/** A client with the fixture's tools. */
async function connect(mode?: string, rest: Parameters<typeof fixture>[1] = {}): Promise<ExecutionClient> {
  const client = await sandbox.connect();
  await client.addMcpServer("own", fixture(mode, { env: { API_KEY: KEY }, ...rest }));
  await client.execute("import mcp_tools.own\nfrom mcp_tools.own import *\nfrom mcp_tools import *");
  return client;
}

async function exception(client: ExecutionClient, code: string): Promise<string> {
  const { message } = await rejection(client.execute(code), ExecutionError);
  expect(message).not.toContain(KEY);
  return message;
}

async function failure(config: McpServerConfig): Promise<IpyboxError> {
  await using client = await sandbox.connect();
  const error = await rejection(client.addMcpServer("own", config), IpyboxError);
  expect(error.code).toBe("mcp_server_failed");
  expect(`${error.stack} ${JSON.stringify(error.details)}`).not.toContain(KEY);
  // Nothing of it is left in the kernel, which is well.
  expect(client.mcpServers).toEqual([]);
  expect((await rejection(client.execute("import mcp_tools"), ExecutionError)).errorName).toBe("ModuleNotFoundError");
  return error;
}

describe("a server that can't be started is an error that says why", () => {
  const env = { API_KEY: KEY };
  it.each<readonly [string, McpServerConfig, readonly string[]]>([
    ["no such command", { command: "ipybox-no-such-command" }, ['"ipybox-no-such-command" is not found']],
    ["a file that is no program", { command: "/etc" }, ["may not be run"]],
    ["no such directory", fixture("well", { cwd: "/no/such/directory" }), ["is not found"]],
    ["it ends at once", fixture("die", { env }), ["has ended", "It has written:\nno licence for …"]],
    ["it is silent", fixture("silent", { startTimeoutMs: 500 }), ["startTimeoutMs (500 ms)"]],
    ["it floods us", fixture("flood", { startTimeoutMs: 20_000 }), ["has ended or closed"]],
    ["its list does not end", fixture("endless-pages"), ["list of tools does not end"]],
    ["it has too many tools", fixture("too-many-tools"), ["1001 tools, more than 1000"]],
    ["its list is none", fixture("no-tools"), ["no answer by the protocol"]],
  ])("%s", async (_, config, parts) => {
    verifies("MCP-01", "MCP-02");
    const error = await failure(config);
    for (const part of ["The MCP server own", ...parts]) expect(error.message).toContain(part);
  });

  it("leaves no process behind", async () => {
    verifies("MCP-02");
    await using client = await sandbox.connect();
    const controller = new AbortController();
    const added = client.addMcpServer("own", fixture("silent"), { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 300);
    await expect(added).rejects.toThrow("enough");
    expect(client.mcpServers).toEqual([]);
  });
});

describe("a tool", () => {
  it("that fails raises what it says", async () => {
    verifies("MCP-01");
    await using client = await connect();
    expect(await exception(client, "fail.run()")).toBe("McpToolError: the disk is full");
    expect(await exception(client, "refuse.run()")).toBe("McpToolError: not with …");
    const caught = "try:\n  fail.run()\nexcept McpError as e:\n  print(type(e).__name__, e.content)";
    expect((await client.execute(caught)).text).toBe("McpToolError (TextContent(text='the disk is full'),)");
  });

  it("that ends its server raises, and the next call has a new one", async () => {
    verifies("MCP-02");
    await using client = await connect();
    const pid = (await client.execute("print(process.run()); x = 5")).text;
    expect(await exception(client, "crash.run()")).toBe(
      "McpServerError: The MCP server own can't be used: it has ended or closed the connection.",
    );
    expect((await client.execute("print(process.run())\nx")).text).not.toContain(pid);
    expect((await client.execute("x")).text).toBe("5");
  });

  it("that does not answer raises in time, and its server is kept when it is well", async () => {
    verifies("MCP-02");
    await using client = await connect("well", { callTimeoutMs: 500 });
    const pid = (await client.execute("print(process.run())")).text;
    expect(await exception(client, "stall.run()")).toContain("it does not answer in time");
    expect((await client.execute("print(process.run())")).text).toBe(pid);
    expect((await client.execute("print(cancelled.run())")).text).toBe("1");
  });

  it("that reports progress may take longer", async () => {
    verifies("MCP-01");
    await using client = await connect("well", { callTimeoutMs: 800 });
    expect((await client.execute("print(slow.run())")).text).toBe("done");
  });

  it("of a server that is stuck gets a new server", async () => {
    verifies("MCP-02");
    await using client = await connect("no-ping", { callTimeoutMs: 300 });
    const pid = (await client.execute("print(process.run())")).text;
    expect(await exception(client, "stall.run()")).toContain("it does not answer in time");
    expect((await client.execute("print(process.run())")).text).not.toBe(pid);
    await eventually(() => !runs(Number(pid)));
  });

  it("that answers nonsense raises", async () => {
    verifies("MCP-01");
    await using client = await connect("well", { callTimeoutMs: 1_000 });
    expect(await exception(client, "nonsense.run()")).toContain("McpServerError");
    expect(await exception(client, "wrong.run()")).toMatch(
      /^McpServerError: the tool has given another result than it declares: .*\ncount\n/,
    );
    expect(await exception(client, "unstructured.run()")).toContain("structured");
    expect((await client.execute("echo.run(echo.Params(text='well'))")).text).toBe("'well'");
  });

  it("gives its pictures as data, under no type that is none", async () => {
    verifies("MCP-01");
    await using client = await connect();
    const { outputs, images } = await client.execute("r = pictures.run()\nprint(r, r.content)\nr.images[0]");
    expect(images).toEqual([]);
    expect(JSON.stringify(outputs)).not.toContain("X-Evil");
    expect(outputs[0]).toMatchObject({
      text: "<script>alert(1)</script> (<application/octet-stream, 6 bytes>, TextContent(text='<script>alert(1)</script>'), <audio/wav, 3 bytes>)\n",
    });
  });

  it("gives results of many megabytes", async () => {
    verifies("MCP-01");
    await using client = await connect();
    expect((await client.execute("len(big.run(big.Params(length=10_000_000)))")).text).toBe("10000000");
    // More than a message may have: its server is ended, and the next call has a new one.
    expect(await exception(client, "big.run(big.Params(length=20_000_000))")).toContain("McpServerError");
    expect((await client.execute("echo.run(echo.Params(text='well'))")).text).toBe("'well'");
  });

  it("is cancelled with its cell", async () => {
    verifies("MCP-01", "HOST-03");
    await using client = await connect();
    const error = await client.execute("stall.run()", { timeoutMs: 500 }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: "ExecutionTimeoutError", stateLost: false });
    await eventually(async () => (await client.execute("print(cancelled.run())")).text === "1");
  });

  it("is given what Python has no other word for as absent", async () => {
    verifies("MCP-01");
    await using client = await connect();
    expect((await client.execute("print(given.run(given.Params(a=None, b=None, c=None)))")).text).toBe('{"b":null,"c":null}');
    expect((await client.execute("print(given.run())")).text).toBe("{}");
  });

  it("takes no arguments that JSON lacks, also when a cell goes its own way", async () => {
    verifies("MCP-01");
    await using client = await connect();
    await client.execute("from ipybox_kernel.host import call");
    expect(await exception(client, "call('mcp_tools.own.echo', {'text': b'x'})")).toContain("bytes and arrays of numbers");
    expect(await exception(client, "call('mcp_tools.own.echo', {'text': 2**70})")).toContain("JSON keeps exactly");
    expect(await exception(client, "call('mcp_tools.own.echo', [1])")).toContain("must be an object");
    expect(await exception(client, "call('mcp_tools.own.nothing', {})")).toContain("HostUnavailableError");
    expect(await exception(client, "echo.run({'text': 'x'})")).toContain("takes an instance of Params, not dict");
    expect((await client.execute("call('mcp_tools.own.echo', {'text': 'x'})['content'][0]['text']")).text).toBe("'x'");
  });
});

describe("a server that changes its tools", () => {
  it("is given anew to the next cells", async () => {
    verifies("MCP-01");
    await using client = await connect();
    const changed = new Promise<McpServer>((resolve) => client.on("mcpToolsChanged", resolve));
    await client.execute("grow.run()");
    const server = await changed;
    expect(server.tools.map(({ name }) => name)).toContain("grown");
    expect((await client.execute("from mcp_tools.own import grown\ngrown.run()")).text).toBe("'grown'");
    expect((await rejection(client.execute("from mcp_tools.own import fail"), ExecutionError)).errorName).toBe("ImportError");
    expect((await client.execute("import mcp_tools.own as own\n'grown' in own.__all__, 'fail' in own.__all__")).text).toBe(
      "(True, False)",
    );
  });
});

it("a server that does not want to end is ended", async () => {
  verifies("MCP-02");
  const client = await connect("stubborn");
  const pid = Number((await client.execute("print(process.run())")).text);
  await client.disconnect();
  await eventually(() => !runs(pid));
});

describe("secrets", () => {
  it("reach the server, and never the sandbox", async () => {
    verifies("MCP-01", "SEC-09");
    process.env["IPYBOX_TEST_KEY"] = KEY;
    try {
      await using client = await connect("well", { env: { API_KEY: "${IPYBOX_TEST_KEY}" } });
      // The positive control: the server has it.
      expect((await client.execute("print(len(environment.run(environment.Params(name='API_KEY'))))")).text).toBe(
        String(KEY.length),
      );
      const [server] = client.mcpServers;
      expect(JSON.stringify(server?.tools)).not.toContain(KEY);
      const searched = `
import gc, os, subprocess, sys
part = "${KEY.slice(0, 6)}" + "-${KEY.slice(7)}"
texts = [text for text in gc.get_objects() if isinstance(text, (str, bytes, dict, list))]
print(any(part in str(text) for text in texts if part + part not in str(text) and text is not part and "part" not in str(text)[:200]))
print(part in str(dict(os.environ)), any(part in (getattr(m, "__doc__", "") or "") for m in sys.modules.values()))`;
      expect((await client.execute(searched)).text).toBe("False\nFalse False");
      // Of this process's own variables the server has but a few.
      process.env["IPYBOX_TEST_OTHER"] = "other";
      expect((await client.execute("print(environment.run(environment.Params(name='IPYBOX_TEST_OTHER')))")).text).toBe(
        "undefined",
      );
    } finally {
      delete process.env["IPYBOX_TEST_KEY"];
      delete process.env["IPYBOX_TEST_OTHER"];
    }
  });
});

/** An HTTP server for the length of a block. */
async function web(listener: RequestListener): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

describe("a server over HTTP that can't be used is an error that says why", () => {
  const headers = { Authorization: `Bearer ${KEY}` };
  it.each<readonly [string, RequestListener, readonly string[]]>([
    ["nobody is let in", (_, response) => response.writeHead(401).end(`who is ${KEY}?`), ["HTTP 401", "headers"]],
    ["it is somewhere else", (_, response) => response.writeHead(404).end(), ["404"]],
    ["it is broken", (_, response) => response.writeHead(500).end(`stack of ${KEY}`), ["HTTP 500"]],
    [
      "it is a web page",
      (_, response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>"),
      ["can't be used"],
    ],
    [
      "it answers no JSON",
      (_, response) => response.writeHead(200, { "content-type": "application/json" }).end("{"),
      ["can't be used"],
    ],
    ["it is silent", () => undefined, ["startTimeoutMs (700 ms)"]],
    [
      "it floods us",
      (_, response) => {
        response.writeHead(200, { "content-type": "application/json" });
        const chunk = Buffer.alloc(1024 * 1024, 32);
        const write = (): void => {
          while (!response.destroyed && response.write(chunk));
          if (!response.destroyed) response.once("drain", write);
        };
        write();
      },
      ["can't be used"],
    ],
  ])("%s", async (_, listener, parts) => {
    verifies("MCP-01", "MCP-02");
    await using server = await web(listener);
    const error = await failure({ url: server.url, headers, startTimeoutMs: 700 });
    for (const part of parts) expect(error.message).toContain(part);
  });

  it("nobody is there", async () => {
    verifies("MCP-01");
    const { url } = await (async () => {
      await using server = await web(() => undefined);
      return server;
    })();
    expect((await failure({ url, headers })).message).toContain("ECONNREFUSED");
  });

  it("and headers go to no other host, wherever it sends us", async () => {
    verifies("MCP-01", "SEC-09");
    const seen: IncomingMessage["headers"][] = [];
    await using other = await web((request, response) => {
      seen.push(request.headers);
      response.writeHead(400).end();
    });
    await using server = await web((_, response) => response.writeHead(307, { location: other.url }).end());
    const error = await failure({ url: server.url, headers: { ...headers, "X-Api-Key": KEY } });
    expect(error.message).toMatch(/redirect/i);
    expect(seen).toEqual([]);
    // The positive control: the other host is there, and headers are sent.
    await failure({ url: other.url, headers: { "X-Api-Key": KEY } });
    expect(seen[0]?.["x-api-key"]).toBe(KEY);
  });
});
