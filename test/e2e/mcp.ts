import { hostname } from "node:os";
import { Client, type ClientOptions, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterEach } from "vitest";
import { listContainers, type ListedContainer, MAIN, type RunningProcess, startCli } from "./cli.ts";

/** The official SDK's client, and the server that it talks to. */
export interface McpClient {
  readonly client: Client;
  /** What the server says on standard error. */
  readonly stderr: () => string;
  readonly pid: number;
}

const open: Client[] = [];

/** Starts `ipybox mcp`, as a client does that has it in its configuration. */
export async function connectStdio(args: readonly string[] = [], options: ClientOptions = {}): Promise<McpClient> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [MAIN, "mcp", ...args],
    env: environment(),
    stderr: "pipe",
  });
  let stderr = "";
  transport.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const client = await connect(transport, options);
  if (transport.pid === null) throw new Error("the server has not started");
  return { client, stderr: () => stderr, pid: transport.pid };
}

/** A server over HTTP that listens. */
export interface HttpServer {
  readonly url: URL;
  readonly process: RunningProcess;
}

/** Starts `ipybox mcp --http`. */
export async function startHttp(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<HttpServer> {
  const process = startCli(["mcp", "--http", ...args], { env });
  await process.prints("Serving MCP at ", "stderr");
  const [, url = ""] = /Serving MCP at (\S+)\. /.exec(process.stderr) ?? [];
  return { url: new URL(url), process };
}

/** A new session of the official SDK's client. */
export async function connectHttp(url: URL, token: string, options: ClientOptions = {}): Promise<Client> {
  return connect(httpTransport(url, token), options);
}

export function httpTransport(url: URL, token: string): StreamableHTTPClientTransport {
  return new StreamableHTTPClientTransport(url, { requestInit: { headers: { Authorization: `Bearer ${token}` } } });
}

/** What a call has given, its texts put together. */
export async function call(client: Client, name: string, input: Record<string, unknown> = {}): Promise<Called> {
  const { content, isError = false } = await client.callTool({ name, arguments: input });
  const texts = content.flatMap((part) => (part.type === "text" ? [part.text] : []));
  return { text: texts.join("\n"), content, isError };
}

export interface Called {
  readonly text: string;
  readonly content: Awaited<ReturnType<Client["callTool"]>>["content"];
  readonly isError: boolean;
}

export async function containersOf(pid: number | undefined): Promise<readonly ListedContainer[]> {
  return (await listContainers()).filter(({ owner }) => owner === `${pid}@${hostname()}`);
}

async function connect(transport: Parameters<Client["connect"]>[0], options: ClientOptions): Promise<Client> {
  const client = new Client({ name: "test", version: "1.0.0" }, options);
  open.push(client);
  await client.connect(transport);
  return client;
}

function environment(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

afterEach(async () => {
  for (const client of open.splice(0)) await client.close().catch(() => undefined);
});
