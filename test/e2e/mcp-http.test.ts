import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingHttpHeaders, type RequestOptions } from "node:http";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../integration/sandbox.ts";
import { verifies } from "../requirements.ts";
import { cli, temporaryDirectory } from "./cli.ts";
import { call, connectHttp, containersOf, type HttpServer, httpTransport, startHttp } from "./mcp.ts";

const TOKENS = ["first-token-first-token-first-token", "second-token-second-token-second-token"] as const;
const [TOKEN, OTHER] = TOKENS;
const HELLO = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1.0.0" } },
};
const JSON_HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const AUTHORIZED = { ...JSON_HEADERS, authorization: `Bearer ${TOKEN}` };

describe("ipybox mcp over HTTP", () => {
  it("gives each session a kernel and a container of its own, and ends them with DELETE", async () => {
    verifies("MCP-03", "MCP-05");
    const { url, process } = await start();
    const first = httpTransport(url, TOKEN);
    const { Client } = await import("@modelcontextprotocol/client");
    const one = new Client({ name: "one", version: "1.0.0" });
    await one.connect(first);
    const two = await connectHttp(url, TOKEN);
    await call(one, "execute_ipython_cell", { code: "a = 1\nopen('file', 'w').close()" });
    const seen = await call(two, "execute_ipython_cell", { code: "import os; ('a' in globals(), os.path.exists('file'))" });
    expect(seen.text).toBe("(False, False)");
    expect(await containersOf(process.child.pid)).toHaveLength(2);
    expect(first.sessionId).toMatch(/^[\w-]{43}$/);
    await first.terminateSession();
    await eventually(async () => (await containersOf(process.child.pid)).length === 1, 20_000);
    await two.close();
    await stop(process);
  });

  it("shares one container between sessions when told to, but no variables", async () => {
    verifies("MCP-03", "KERN-01");
    const { url, process } = await start(["--shared-container"]);
    const [one, two] = [await connectHttp(url, TOKEN), await connectHttp(url, TOKEN)];
    await call(one, "execute_ipython_cell", { code: "a = 1\nopen('file', 'w').close()" });
    const seen = await call(two, "execute_ipython_cell", { code: "import os; ('a' in globals(), os.path.exists('file'))" });
    expect(seen.text).toBe("(False, True)");
    expect(await containersOf(process.child.pid)).toHaveLength(1);
    await stop(process);
  });

  it("serves a client that asks for the revision without sessions first", async () => {
    verifies("MCP-05");
    const { url, process } = await start();
    const client = await connectHttp(url, TOKEN, { versionNegotiation: { mode: "auto" } });
    expect(client.getProtocolEra()).toBe("legacy");
    expect((await call(client, "execute_ipython_cell", { code: "1 + 1" })).text).toBe("2");
    await stop(process);
  });

  it("ends a session without calls, which is then not found; its sandbox is gone", async () => {
    verifies("MCP-03", "KERN-11");
    const { url, process } = await start(["--idle-timeout", "1"]);
    const transport = httpTransport(url, TOKEN);
    const { Client } = await import("@modelcontextprotocol/client");
    const client = new Client({ name: "one", version: "1.0.0" });
    await client.connect(transport);
    const busy = await call(client, "execute_ipython_cell", { code: "import time; time.sleep(1.5); print('still here')" });
    expect(busy.text).toBe("still here");
    await eventually(async () => (await containersOf(process.child.pid)).length === 0, 20_000);
    const headers = { ...AUTHORIZED, "mcp-session-id": transport.sessionId ?? "" };
    const { status } = await send(url, { method: "POST", headers }, { jsonrpc: "2.0", id: 1, method: "ping" });
    expect(status).toBe(404);
    await client.close();
    await stop(process);
  });

  it("refuses sessions beyond the most, also when many come at once, and takes one when another has ended", async () => {
    verifies("MCP-03");
    const { url, process } = await start(["--max-sessions", "3"]);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => send(url, { method: "POST", headers: AUTHORIZED }, HELLO)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
    const refused = answers.filter(({ status }) => status === 503);
    expect(refused).toHaveLength(17);
    expect(refused[0]?.body).toMatch(/Too many sessions: 3 are there/);
    const id = String(answers.find(({ status }) => status === 200)?.headers["mcp-session-id"]);
    expect((await send(url, { method: "DELETE", headers: { ...AUTHORIZED, "mcp-session-id": id } })).status).toBe(200);
    expect((await send(url, { method: "POST", headers: AUTHORIZED }, HELLO)).status).toBe(200);
    await stop(process);
  });

  it("bounds the calls of a session that are under way", async () => {
    verifies("MCP-03");
    const { url, process } = await start();
    const client = await connectHttp(url, TOKEN);
    const calls = Array.from({ length: 40 }, (_, index) => call(client, "execute_ipython_cell", { code: String(index) }));
    const called = await Promise.all(calls);
    const refused = called.filter(({ isError }) => isError);
    expect(refused).toHaveLength(8);
    expect(refused[0]?.text).toContain("32 calls under way");
    expect(called.filter(({ isError }) => !isError).map(({ text }) => text)).toEqual(
      Array.from({ length: 32 }, (_, i) => String(i)),
    );
    await stop(process);
  });

  it("keeps the result of a call for a client whose connection has dropped", async () => {
    verifies("MCP-03");
    const { url, process } = await start();
    const hello = { ...HELLO, params: { ...HELLO.params, protocolVersion: "2025-11-25" } };
    const opened = await send(url, { method: "POST", headers: AUTHORIZED }, hello);
    const headers = {
      ...AUTHORIZED,
      "mcp-session-id": String(opened.headers["mcp-session-id"]),
      "mcp-protocol-version": "2025-11-25",
    };
    await send(url, { method: "POST", headers }, { jsonrpc: "2.0", method: "notifications/initialized" });
    const code = "import time\ntime.sleep(2)\nprint('done')";
    const call = { jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "execute_ipython_cell", arguments: { code } } };
    const controller = new AbortController();
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(call), signal: controller.signal });
    const first = await response.body?.getReader().read();
    const [, id = ""] = /^id: (.+)$/m.exec(Buffer.from(first?.value ?? []).toString()) ?? [];
    controller.abort();
    const resumed = await send(url, { method: "GET", headers: { ...headers, "last-event-id": id } });
    expect(resumed.status).toBe(200);
    const [, data = "null"] = /^data: (.+)$/m.exec(resumed.body) ?? [];
    expect(JSON.parse(data)).toEqual({ jsonrpc: "2.0", id: 2, result: { content: [{ type: "text", text: "done" }] } });
    const wrong = await send(url, { method: "GET", headers: { ...headers, "last-event-id": "no id" } });
    expect(wrong.status).toBe(400);
    await stop(process);
  });

  it("leaves nothing on SIGTERM, in the middle of cells too", async () => {
    verifies("LIFE-02");
    const { url, process } = await start();
    const client = await connectHttp(url, TOKEN);
    await call(client, "execute_ipython_cell", { code: "1" });
    // The SDK's client may wait for a minute before it takes the server for gone.
    call(client, "execute_ipython_cell", { code: "while True: pass" }).catch(() => undefined);
    process.child.kill("SIGTERM");
    expect((await process.finished).status).toBe(143);
    expect(await containersOf(process.child.pid)).toEqual([]);
  });
});

describe("who is let in over HTTP", () => {
  let server: HttpServer;
  let port: string;
  const post = (headers: Record<string, string>, body: unknown = HELLO, options: RequestOptions = {}): Promise<Answer> =>
    send(server.url, { method: "POST", headers, ...options }, body);

  beforeEach(async () => {
    server = await start();
    ({ port } = server.url);
  });

  it.each([
    { name: "no token", headers: {} },
    { name: "a wrong one", headers: { authorization: `Bearer ${TOKEN}x` } },
    { name: "one in another case", headers: { authorization: `Bearer ${TOKEN.toUpperCase()}` } },
    { name: "another scheme", headers: { authorization: `Basic ${TOKEN}` } },
    { name: "an empty one", headers: { authorization: "Bearer " } },
  ])("is nobody with $name", async ({ headers }) => {
    verifies("MCP-04");
    for (const method of ["POST", "GET", "DELETE", "PUT", "OPTIONS"]) {
      for (const path of ["/mcp", "/", `/mcp?token=${TOKEN}`]) {
        const answer = await send(server.url, { method, path, headers: { ...JSON_HEADERS, ...headers } }, HELLO);
        expect([method, path, answer.status, answer.headers["www-authenticate"]]).toEqual([method, path, 401, "Bearer"]);
        expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
      }
    }
  });

  it("is somebody with a token of the file", async () => {
    verifies("MCP-04");
    for (const authorization of [`Bearer ${TOKEN}`, `bearer  ${OTHER}`]) {
      const { status, headers } = await post({ ...JSON_HEADERS, authorization });
      expect(status).toBe(200);
      expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
      const id = String(headers["mcp-session-id"]);
      await send(server.url, { method: "DELETE", headers: { authorization, "mcp-session-id": id } });
    }
  });

  it("is nobody who asks another machine, however it is written", async () => {
    verifies("MCP-04");
    const names = ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example"];
    for (const host of [...names, "127.0.0.1@evil.example", "10.0.0.1", "[::2]", "a b", "localhost/evil.example/.."]) {
      expect([host, (await post({ ...AUTHORIZED, host })).status]).toEqual([host, 403]);
    }
  });

  it("takes the names of this machine, and no web page but its own origin", async () => {
    verifies("MCP-04");
    for (const host of ["localhost", `localhost:${port}`, `127.0.0.1:${port}`, "[::1]:1"]) {
      const answer = await post({ ...AUTHORIZED, host }, { jsonrpc: "2.0", id: 1, method: "ping" });
      expect([host, answer.status]).toEqual([host, 400]);
    }
    for (const origin of ["http://evil.example", "null", `https://127.0.0.1:${port}`, "http://127.0.0.1:1", "file://", ""]) {
      expect([origin, (await post({ ...AUTHORIZED, origin })).status]).toEqual([origin, 403]);
    }
    const own = await post({ ...AUTHORIZED, origin: server.url.origin }, { jsonrpc: "2.0", id: 1, method: "ping" });
    expect(own.status).toBe(400);
  });

  it("refuses headers that are repeated, and requests that can be read in two ways", async () => {
    verifies("MCP-04");
    const head = `Host: 127.0.0.1\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\n`;
    for (const lines of [
      `POST /mcp HTTP/1.1\r\n${head}Host: evil.example\r\nContent-Length: 2\r\n\r\n{}`,
      `POST /mcp HTTP/1.1\r\n${head}Authorization: Bearer x\r\nContent-Length: 2\r\n\r\n{}`,
      `POST /mcp HTTP/1.1\r\n${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `POST /mcp HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
      `POST /mcp HTTP/1.1\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Length: 2\r\n\r\n{}`,
      `GET /mcp HTTP/1.1\r\n${head}X: ${"x".repeat(20_000)}\r\n\r\n`,
    ]) {
      expect([lines.slice(0, 300), await raw(Number(port), lines)]).toEqual([
        lines.slice(0, 300),
        expect.stringMatching(/^HTTP\/1\.1 4(00|31) /),
      ]);
    }
  });

  it("answers what is no message, no JSON or too much with 4xx, and goes on", async () => {
    verifies("MCP-03", "MCP-04");
    expect((await post(AUTHORIZED, "{ no json")).body).toContain("-32700");
    expect((await post(AUTHORIZED, [HELLO])).body).toContain("-32600");
    expect((await post(AUTHORIZED, { ...HELLO, jsonrpc: "1.0" })).body).toContain("-32600");
    expect((await post(AUTHORIZED, "[".repeat(100_000))).status).toBe(400);
    expect((await post({ ...AUTHORIZED, "content-type": "text/plain" })).status).toBe(415);
    expect((await post({ ...AUTHORIZED, "content-type": "application/x-www-form-urlencoded" }, "a=b")).status).toBe(415);
    expect((await post({ ...AUTHORIZED, "content-encoding": "gzip" })).status).toBe(415);
    expect((await post(AUTHORIZED, `"${"x".repeat(17 * 1_048_576)}"`)).status).toBe(413);
    expect((await post({ ...AUTHORIZED, accept: "text/html" })).status).toBe(406);
    expect((await send(server.url, { method: "GET", headers: AUTHORIZED })).status).toBe(400);
    expect((await send(server.url, { method: "PUT", headers: AUTHORIZED })).status).toBe(405);
    expect((await send(server.url, { method: "GET", path: "/other", headers: AUTHORIZED })).status).toBe(404);
    for (const id of ["", "x", "../", "a".repeat(5_000)]) {
      const headers = { ...AUTHORIZED, "mcp-session-id": id };
      for (const method of ["GET", "DELETE"]) expect((await send(server.url, { method, headers })).status).toBe(404);
      expect((await post(headers, { jsonrpc: "2.0", id: 1, method: "ping" })).status).toBe(404);
    }
    // Those that were refused have left no session.
    const sessions = await Promise.all(Array.from({ length: 8 }, () => post(AUTHORIZED)));
    expect(sessions.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
    for (const { headers } of sessions) {
      const id = String(headers["mcp-session-id"]);
      expect((await send(server.url, { method: "DELETE", headers: { ...AUTHORIZED, "mcp-session-id": id } })).status).toBe(200);
    }
  });

  it("keeps a session from everybody but its owner, and from everybody once it has ended", async () => {
    verifies("MCP-04");
    const id = String((await post(AUTHORIZED)).headers["mcp-session-id"]);
    expect(Buffer.from(id, "base64url")).toHaveLength(32);
    const ping = { jsonrpc: "2.0", id: 2, method: "ping" };
    const other = { ...JSON_HEADERS, authorization: `Bearer ${OTHER}`, "mcp-session-id": id };
    const mine = { ...AUTHORIZED, "mcp-session-id": id };
    const unknown = await post({ ...other, "mcp-session-id": "x".repeat(43) }, ping);
    expect(await post(other, ping)).toMatchObject({ status: 404, body: unknown.body });
    expect((await send(server.url, { method: "DELETE", headers: other })).status).toBe(404);
    expect((await post(mine, ping)).status).toBe(200);
    expect((await post({ ...JSON_HEADERS, "mcp-session-id": id }, ping)).status).toBe(401);
    expect((await send(server.url, { method: "DELETE", headers: mine })).status).toBe(200);
    expect((await post(mine, ping)).status).toBe(404);
    expect((await send(server.url, { method: "DELETE", headers: mine })).status).toBe(404);
  });

  it("lets nobody hold a connection with half a request", { timeout: 60_000 }, async () => {
    verifies("MCP-04");
    const closed = raw(Number(port), "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    const healthy = await post(AUTHORIZED, { jsonrpc: "2.0", id: 1, method: "ping" });
    expect(healthy.status).toBe(400);
    expect(await closed).toMatch(/^HTTP\/1\.1 408 |^$/);
  });
});

describe("the token file", () => {
  it("is made with a random token for this user alone when it is missing, and used again", async () => {
    verifies("MCP-04", "SEC-09");
    const config = await temporaryDirectory();
    const path = join(config, "ipybox/mcp-token");
    const first = await startHttp(["--port", String(await freePort())], { XDG_CONFIG_HOME: config });
    const token = (await readFile(path, "utf8")).trim();
    expect(Buffer.from(token, "base64url")).toHaveLength(32);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(first.process.stderr).toContain(path);
    const client = await connectHttp(first.url, token);
    await client.listTools();
    const { pid } = first.process.child;
    const shown = [first.process.stderr, first.process.stdout];
    for (const name of ["cmdline", "environ"]) shown.push(await readFile(`/proc/${pid}/${name}`, "utf8"));
    expect(shown.join("\n")).not.toContain(token);
    await stop(first.process);
    const second = await startHttp(["--port", String(await freePort())], { XDG_CONFIG_HOME: config });
    expect(await readFile(path, "utf8")).toBe(`${token}\n`);
    await stop(second.process);
  });

  it.each([
    { name: "that others can read", text: `${TOKEN}\n`, mode: 0o644, message: "others can read or write it (mode 0644)" },
    { name: "with a weak token", text: "secret\n", mode: 0o600, message: "line 1 is no token of 32 characters or more" },
    { name: "without a token", text: "# none\n", mode: 0o600, message: "it holds no token" },
  ])("$name is refused", async ({ text, mode, message }) => {
    verifies("MCP-04");
    const file = join(await temporaryDirectory(), "token");
    await writeFile(file, text);
    await chmod(file, mode);
    const { status, stdout, stderr } = await cli(["mcp", "--http", "--token-file", file]);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("secret");
  });

  it("is needed to listen where others reach it", async () => {
    verifies("MCP-04");
    for (const host of ["0.0.0.0", "::", "192.0.2.1"]) {
      const { status, stderr } = await cli(["mcp", "--http", "--host", host]);
      expect(status).toBe(2);
      expect(stderr).toContain(`Others can reach ${host}: pass --token-file`);
    }
    const { url, process } = await start(["--host", "0.0.0.0"]);
    const local = new URL(url.href.replace("0.0.0.0", "127.0.0.1"));
    expect((await send(local, { method: "POST", headers: AUTHORIZED }, { jsonrpc: "2.0", id: 1, method: "ping" })).status).toBe(
      400,
    );
    expect((await send(local, { method: "POST", headers: { ...AUTHORIZED, host: "evil.example" } }, HELLO)).status).toBe(403);
    await stop(process);
  });

  it("is of no use when the port is taken: the error names it", async () => {
    verifies("MCP-04");
    const { url, process } = await start();
    const file = await tokenFile();
    const { status, stderr } = await cli(["mcp", "--http", "--port", url.port, "--token-file", file]);
    expect(status).toBe(1);
    expect(stderr).toContain(url.port);
    await stop(process);
  });
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function tokenFile(): Promise<string> {
  const file = join(await temporaryDirectory(), "tokens");
  await writeFile(file, `# two clients\n${TOKENS.join("\n")}\n`, { mode: 0o600 });
  return file;
}

async function start(args: readonly string[] = []): Promise<HttpServer> {
  return startHttp(["--port", String(await freePort()), "--token-file", await tokenFile(), ...args]);
}

async function stop(process: HttpServer["process"]): Promise<void> {
  process.child.kill("SIGTERM");
  await process.finished;
  expect(await containersOf(process.child.pid)).toEqual([]);
}

async function freePort(): Promise<number> {
  const { createServer } = await import("node:net");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function send(url: URL, options: RequestOptions, body?: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, { agent: false, ...options }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("close", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    // A server that has refused does not read on.
    sent.on("error", (error: NodeJS.ErrnoException) => (error.code === "EPIPE" ? undefined : reject(error)));
    sent.end(body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body));
  });
}

/** What a server answers to these bytes until it closes the connection. */
function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, "127.0.0.1", () => socket.write(bytes));
    let text = "";
    const done = setTimeout(() => socket.destroy(new Error("the server keeps the connection")), 30_000);
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (text.startsWith("HTTP/1.1 4")) socket.destroy();
    });
    socket.on("error", reject).on("close", () => {
      clearTimeout(done);
      resolve(text);
    });
  });
}
