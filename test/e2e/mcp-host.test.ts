import { once } from "node:events";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { verifies } from "../requirements.ts";
import { cli, temporaryDirectory } from "./cli.ts";
import { call, connectStdio } from "./mcp.ts";

const EVERYTHING = fileURLToPath(
  new URL("../../node_modules/@modelcontextprotocol/server-everything/dist/index.js", import.meta.url),
);

describe("the file tools of ipybox mcp", () => {
  it("copy files between the sandbox and the allowed directories", async () => {
    verifies("MCP-03", "MCP-04", "FILE-02");
    const directory = await temporaryDirectory();
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 251));
    await writeFile(join(directory, "in.bin"), bytes);
    const { client } = await connectStdio(["--allowed-dir", directory]);
    const up = await call(client, "upload_file", { local_path: join(directory, "in.bin"), path: "data/in.bin" });
    expect(up).toMatchObject({ text: "Copied 70000 bytes to data/in.bin.", isError: false });
    const listed = await call(client, "list_files", { path: "data" });
    expect(listed.text).toMatch(/^file +70000 in\.bin$/);
    await call(client, "execute_ipython_cell", {
      code: "data = open('data/in.bin', 'rb').read()\nopen('out.bin', 'wb').write(data[::-1])\nopen('a\\n\\x1b[31mb', 'w').close()",
    });
    const target = join(directory, "out.bin");
    expect((await call(client, "download_file", { path: "out.bin", local_path: target })).text).toBe(
      `Copied 70000 bytes to ${target}.`,
    );
    expect((await readFile(target)).equals(Buffer.from(bytes).reverse())).toBe(true);
    const names = (await call(client, "list_files")).text;
    expect(names).toMatch(/^file +0 a\\nb\ndirectory +\d+ data\nfile +70000 out\.bin$/);
    const missing = await call(client, "download_file", { path: "none", local_path: join(directory, "none") });
    expect(missing).toMatchObject({ isError: true, text: expect.stringContaining("ENOENT") });
  });

  it("take no path outside of them, whatever it looks like, and tell nothing of it", async () => {
    verifies("MCP-04");
    const directory = await temporaryDirectory();
    const inside = join(directory, "inside");
    await mkdir(inside);
    await writeFile(join(directory, "secret"), "secret");
    await symlink(join(directory, "secret"), join(inside, "link"));
    await symlink("/etc", join(inside, "etc"));
    const { client } = await connectStdio(["--allowed-dir", inside]);
    const paths = ["/etc/passwd", "~/.ssh/id_rsa", join(inside, "link"), join(inside, "etc/passwd"), join(inside, "../secret")];
    for (const path of [...paths, `${inside}-not/x`, "secret", "/proc/self/environ", "/dev/zero", "x\0y"]) {
      const up = await call(client, "upload_file", { local_path: path, path: "taken" });
      expect([path, up.isError, up.text]).toEqual([path, true, expect.stringContaining("is outside of the allowed directories")]);
    }
    const away = await call(client, "download_file", { path: "/etc/hostname", local_path: join(inside, "etc/ipybox-test") });
    expect(away).toMatchObject({ isError: true, text: expect.stringContaining("is outside of the allowed directories") });
    expect((await call(client, "list_files")).text).toBe("(empty)");
    expect(await readFile(join(directory, "secret"), "utf8")).toBe("secret");
  });

  it("are not there without an allowed directory; a directory that is none ends the command", async () => {
    verifies("MCP-04", "SEC-05");
    const { client } = await connectStdio();
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(["execute_ipython_cell", "install_package", "reset", "list_files"]);
    for (const { inputSchema } of tools) {
      expect(inputSchema["additionalProperties"]).toBe(false);
      expect(JSON.stringify(inputSchema)).not.toMatch(/dangerous|network|privileged|bind|tag|env"/i);
    }
    const { status, stderr } = await cli(["mcp", "--allowed-dir", "/no/such/directory"]);
    expect(status).toBe(2);
    expect(stderr).toContain('--allowed-dir must be a directory. Given was "/no/such/directory".');
  });
});

describe("the network of ipybox mcp", () => {
  it("has no way to this machine and its networks, unless the operator opens one", async () => {
    verifies("MCP-03", "NET-01", "SEC-05");
    const listener = createServer((socket) => socket.end());
    await once(listener.listen(0, "0.0.0.0"), "listening");
    const { port } = listener.address() as AddressInfo;
    // The machine itself, as the container's network sees it.
    const code = [
      "import socket",
      "route = next(line.split() for line in open('/proc/net/route') if line.split()[1] == '00000000')",
      "gateway = '.'.join(str(byte) for byte in bytes.fromhex(route[2])[::-1])",
      `try: socket.create_connection((gateway, ${port}), timeout=10).close(); print('connected')`,
      "except OSError as error: print(type(error).__name__)",
    ].join("\n");
    try {
      const shut = await connectStdio();
      expect((await call(shut.client, "execute_ipython_cell", { code })).text).toMatch(/^\w+Error$/);
      const open = await connectStdio(["--network", "internet"]);
      expect((await call(open.client, "execute_ipython_cell", { code })).text).toBe("connected");
    } finally {
      listener.close();
    }
  });
});

describe("the servers of ipybox mcp --servers", () => {
  it("give their tools to cells when a model names them, and no others", async () => {
    verifies("MCP-03", "MCP-01");
    const file = join(await temporaryDirectory(), "servers.json");
    const everything = { command: process.execPath, args: [EVERYTHING] };
    await writeFile(file, JSON.stringify({ mcpServers: { everything } }));
    const { client } = await connectStdio(["--servers", file]);
    const used = await call(client, "use_mcp_server", { server: "everything" });
    expect(used.text).toMatch(/^mcp_tools\.everything has \d+ tools\./);
    expect(used.text).toContain("- from mcp_tools.everything import echo: ");
    const code = "from mcp_tools.everything import echo\necho.run(echo.Params(message='hello'))";
    expect((await call(client, "execute_ipython_cell", { code })).text).toContain("Echo: hello");
    for (const input of [{ server: "other" }, { server: "everything", command: "/bin/sh" }, { command: "/bin/sh" }]) {
      expect((await call(client, "use_mcp_server", input)).isError).toBe(true);
    }
  });

  it.each([
    { text: "{", message: "can't be used" },
    { text: "{}", message: 'it must have "mcpServers" alone' },
    { text: '{"mcpServers":{"a":{"command":"x","shell":true}}}', message: 'no option "shell"' },
    { text: '{"mcpServers":{"a":{"command":"x","env":{"K":"${IPYBOX_TEST_NOT_SET}"}}}}', message: "IPYBOX_TEST_NOT_SET" },
  ])("are told to be wrong before anything starts: $text", async ({ text, message }) => {
    verifies("MCP-03");
    const file = join(await temporaryDirectory(), "servers.json");
    await writeFile(file, text);
    const { status, stdout, stderr } = await cli(["mcp", "--servers", file]);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
  });
});
