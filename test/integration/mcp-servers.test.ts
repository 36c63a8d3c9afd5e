import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ApprovalRequest, ExecutionClient, ExecutionError, IpyboxError } from "ipybox";
import { verifies } from "../requirements.ts";
import { everythingOverHttp, fixture, npmServer, runs } from "./mcp/servers.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

describe("a server from npm", () => {
  let client: ExecutionClient;
  beforeAll(async () => {
    client = await sandbox.connect();
    await client.addMcpServer("everything", npmServer("everything"));
  });
  afterAll(() => client.disconnect());

  it("is a package with a module for each of its tools", async () => {
    verifies("MCP-01");
    const [server] = client.mcpServers;
    expect(server?.packageName).toBe("mcp_tools.everything");
    expect(server?.instructions).toContain("Everything");
    const names = server?.tools.map(({ name, module }) => [name, module]);
    expect(names).toContainEqual(["get-sum", "mcp_tools.everything.get_sum"]);
    const { text } = await client.execute("import mcp_tools.everything; print(*mcp_tools.everything.__all__)");
    expect(text?.split(" ").map((name) => `mcp_tools.everything.${name}`)).toEqual(server?.tools.map(({ module }) => module));
    // What a model is shown is what runs.
    const source = await client.execute(
      "import inspect\nfrom mcp_tools.everything import get_sum\nprint(inspect.getsource(get_sum))",
    );
    expect(source.text).toBe(server?.tools.find(({ name }) => name === "get-sum")?.source.trim());
  });

  it("has typed parameters, checked where they are given", async () => {
    verifies("MCP-01");
    const { text } = await client.execute(
      "from mcp_tools.everything import get_sum\nprint(get_sum.run(get_sum.Params(a=1, b=2)))",
    );
    expect(text).toBe("The sum of 1 and 2 is 3.");
    const error = await rejection(client.execute("get_sum.Params(a='x', c=1)"), ExecutionError);
    expect(error.errorName).toBe("ValidationError");
    for (const part of ["\na\n", "\nb\n", "\nc\n", "valid number", "Field required"]) expect(error.errorValue).toContain(part);
  });

  it("has typed results where it declares them, else text", async () => {
    verifies("MCP-01");
    const code = `
from mcp_tools.everything import echo, get_structured_content as weather
r = weather.run(weather.Params(location="New York"))
print(type(r) is weather.Result, r.temperature == 33.0, r.conditions)
e = echo.run(echo.Params(message="ä\\n😀"))
print(isinstance(e, str), e.upper())`;
    expect((await client.execute(code)).text).toBe("True True Cloudy\nTrue ECHO: Ä\n😀");
  });

  it("can be awaited, many calls at once", async () => {
    verifies("MCP-01");
    const code = `
import asyncio
from mcp_tools.everything.get_sum import run_async, Params
results = await asyncio.gather(*(run_async(Params(a=n, b=1)) for n in range(100)))
[r.split()[-1] for r in results] == [f"{n + 1}." for n in range(100)]`;
    expect((await client.execute(code)).text).toBe("True");
  });

  it("gives images, links and resources as objects", async () => {
    verifies("MCP-01");
    const { images, text } = await client.execute(
      "from mcp_tools.everything import get_tiny_image as t\nr = t.run()\nprint(r.images)\nr.images[0]",
    );
    expect(text).toBe("[<image/png, 4033 bytes>]");
    expect(images.map(({ width, height }) => [width, height])).toEqual([[20, 20]]);
    const code = `
from mcp_tools import ResourceLink, EmbeddedResource
from mcp_tools.everything import get_resource_links as links, get_resource_reference as reference
link = links.run(links.Params(count=1)).content[1]
print(type(link) is ResourceLink, link.uri, link.mime_type)
blob = reference.run(reference.Params(resourceType="Blob", resourceId=1)).content[1]
print(type(blob) is EmbeddedResource, blob.data[:10], blob.text)`;
    expect((await client.execute(code)).text).toBe("True demo://resource/dynamic/blob/1 text/plain\nTrue b'Resource 1' None");
  });

  it("asks for approval as host functions do", async () => {
    verifies("HOST-02", "MCP-01");
    const asked: Omit<ApprovalRequest, "signal" | "executionId">[] = [];
    await using careful = await ExecutionClient.connect({
      port: sandbox.container.port,
      onApproval: ({ kind, name, input }) => {
        asked.push({ kind, name, input });
        const { a } = input as { a: number };
        if (a === 1) return { decision: "accept", input: { a: 10, b: 10 } };
        return a === 2 ? { decision: "reject", reason: "no twos" } : true;
      },
    });
    await careful.addMcpServer("everything", npmServer("everything"));
    await careful.execute("from mcp_tools.everything.get_sum import run, Params");
    expect((await careful.execute("run(Params(a=0, b=0))")).text).toContain("is 0.");
    expect((await careful.execute("run(Params(a=1, b=1))")).text).toContain("is 20.");
    const error = await rejection(careful.execute("run(Params(a=2, b=2))"), ExecutionError);
    expect(error.message).toMatch(/^ApprovalRejected: .*no twos/);
    expect(asked[0]).toEqual({ kind: "tool", name: "everything.get-sum", input: { a: 0, b: 0 } });
    expect(asked).toHaveLength(3);
  });
});

describe("over HTTP", () => {
  it.each([
    ["streamable HTTP", "streamableHttp", "http", "mcp"],
    ["streamable HTTP that is not named", "streamableHttp", undefined, "mcp"],
    ["SSE", "sse", "sse", "sse"],
    ["SSE that is not named", "sse", undefined, "sse"],
  ] as const)("a server speaks %s", async (_, transport, type, path) => {
    verifies("MCP-01");
    await using server = await everythingOverHttp(transport);
    await using client = await sandbox.connect();
    await client.addMcpServer("web", { ...(type === undefined ? {} : { type }), url: `http://127.0.0.1:${server.port}/${path}` });
    const code = "from mcp_tools.web.get_sum import run, Params\n[run(Params(a=n, b=2)) for n in range(3)][-1]";
    expect((await client.execute(code)).text).toBe("'The sum of 2 and 2 is 4.'");
  });

  it("a server that was started anew is used again", async () => {
    verifies("MCP-02");
    await using client = await sandbox.connect();
    const url = "http://127.0.0.1:${PORT_OF_SERVER}/mcp";
    let first: Awaited<ReturnType<typeof everythingOverHttp>> | undefined = await everythingOverHttp("streamableHttp");
    const { port } = first;
    process.env["PORT_OF_SERVER"] = String(port);
    await client.addMcpServer("web", { url });
    await client.execute("from mcp_tools.web.get_sum import run, Params\nrun(Params(a=1, b=2))");
    await first[Symbol.asyncDispose]();
    first = undefined;
    const error = await rejection(client.execute("run(Params(a=1, b=2))"), ExecutionError);
    expect(error.errorName).toBe("McpServerError");
    await using again = await everythingOverHttp("streamableHttp", port);
    expect(again.port).toBe(port);
    expect((await client.execute("run(Params(a=1, b=2))")).text).toContain("is 3.");
  });
});

describe("other servers from npm", () => {
  it("read and write files, and keep a memory", async () => {
    verifies("MCP-01");
    const directory = await mkdtemp(join(tmpdir(), "ipybox-mcp-"));
    try {
      await using client = await sandbox.connect();
      await client.addMcpServer("files", npmServer("filesystem", directory));
      await client.addMcpServer("memory", { ...npmServer("memory"), env: { MEMORY_FILE_PATH: join(directory, "memory.json") } });
      const code = `
from mcp_tools.files import write_file, read_text_file, edit_file
from mcp_tools.memory import create_entities, search_nodes
print(write_file.run(write_file.Params(path="${directory}/a.txt", content="one\\ntwo")))
edit_file.run(edit_file.Params(path="${directory}/a.txt", edits=[edit_file.EditsItem(oldText="two", newText="three")]))
print(read_text_file.run(read_text_file.Params(path="${directory}/a.txt")).content)
create_entities.run(create_entities.Params(entities=[{"name": "Ada", "entityType": "person", "observations": ["wrote notes"]}]))
print(search_nodes.run(search_nodes.Params(query="notes")).entities[0].name)`;
      const { text } = await client.execute(code);
      expect(text).toContain("one\nthree");
      expect(text?.endsWith("Ada")).toBe(true);
      expect(await readFile(join(directory, "a.txt"), "utf8")).toBe("one\nthree");
      const outside = await rejection(
        client.execute("read_text_file.run(read_text_file.Params(path='/etc/passwd'))"),
        ExecutionError,
      );
      expect(outside.message).toMatch(/^McpToolError: Access denied/);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe("a server's life", () => {
  const pidOf = async (client: ExecutionClient): Promise<number> =>
    Number((await client.execute("from mcp_tools.own import process as p, count as c\nprint(p.run())")).text);

  it("begins when it is added, lasts over cells, and ends with the client", async () => {
    verifies("MCP-02");
    const client = await sandbox.connect();
    await client.addMcpServer("own", fixture());
    const pid = await pidOf(client);
    expect((await client.execute("c.run(), c.run()")).text).toBe("('1', '2')");
    expect(await pidOf(client)).toBe(pid);
    await client.disconnect();
    await eventually(() => !runs(pid));
  });

  it("ends with a reset, and begins again with the next call", async () => {
    verifies("MCP-02");
    await using client = await sandbox.connect();
    await client.addMcpServer("own", fixture());
    const pid = await pidOf(client);
    await client.execute("c.run()");
    await client.reset();
    await eventually(() => !runs(pid));
    expect(await pidOf(client)).not.toBe(pid);
    expect((await client.execute("c.run()")).text).toBe("'1'");
  });

  it("is one of its own in a fork, which outlives its parent", async () => {
    verifies("MCP-02", "KERN-04");
    const parent = await sandbox.connect();
    await parent.addMcpServer("own", fixture());
    const pid = await pidOf(parent);
    await using fork = await parent.fork();
    expect(await pidOf(fork)).not.toBe(pid);
    await parent.disconnect();
    expect((await fork.execute("c.run()")).text).toBe("'1'");
    expect(fork.mcpServers.map(({ packageName }) => packageName)).toEqual(["mcp_tools.own"]);
  });

  it("goes on when its kernel dies", async () => {
    verifies("MCP-02", "KERN-05");
    await using client = await sandbox.connect();
    await client.addMcpServer("own", fixture());
    const pid = await pidOf(client);
    await client.execute("import os; os._exit(1)").catch(() => undefined);
    expect(await pidOf(client)).toBe(pid);
  });

  it("ends when it is removed, with its package", async () => {
    verifies("MCP-02");
    await using client = await sandbox.connect();
    await client.addMcpServer("own", fixture());
    const pid = await pidOf(client);
    await client.execute("from mcp_tools.own.count import run");
    expect(await client.removeMcpServer("own")).toBe(true);
    expect(await client.removeMcpServer("own")).toBe(false);
    await eventually(() => !runs(pid));
    expect((await rejection(client.execute("import mcp_tools.own"), ExecutionError)).errorName).toBe("ModuleNotFoundError");
    expect((await rejection(client.execute("run()"), ExecutionError)).errorName).toBe("HostUnavailableError");
  });

  it("ends when another takes its name", async () => {
    verifies("MCP-02");
    await using client = await sandbox.connect();
    await client.addMcpServer("own", fixture());
    const pid = await pidOf(client);
    await client.addMcpServer("own", fixture());
    await eventually(() => !runs(pid));
    expect(await pidOf(client)).not.toBe(pid);
    expect(client.mcpServers).toHaveLength(1);
  });

  it("has a name that makes a package no other has", async () => {
    verifies("MCP-01");
    await using client = await sandbox.connect();
    await client.addMcpServer("my-own", fixture());
    expect((await client.execute("from mcp_tools.my_own.echo import run, Params\nrun(Params(text='x'))")).text).toBe("'x'");
    for (const [name, part] of [
      ["my.own", "the same Python package, my_own"],
      ["", "name must"],
      ["1", "name must"],
    ] as const) {
      const error = await rejection(client.addMcpServer(name, fixture()), IpyboxError);
      expect([error.code, error.message.includes(part)]).toEqual(["invalid_option", true]);
    }
  });
});
