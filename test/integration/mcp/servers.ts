import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { McpStdioConfig } from "ipybox";

const FIXTURE = fileURLToPath(new URL("../../fixtures/mcp/server.mjs", import.meta.url));

/** Our own server, which can do wrong. */
export function fixture(mode: string = "well", rest: Partial<McpStdioConfig> = {}): McpStdioConfig {
  return { command: process.execPath, args: [FIXTURE, mode], ...rest };
}

/** A server from npm, for its users `npx -y @modelcontextprotocol/server-NAME`. */
export function npmServer(name: "everything" | "filesystem" | "memory", ...args: readonly string[]): McpStdioConfig {
  return { command: process.execPath, args: [npmPath(name), ...args] };
}

function npmPath(name: string): string {
  return fileURLToPath(new URL(`../../../node_modules/@modelcontextprotocol/server-${name}/dist/index.js`, import.meta.url));
}

/** The server "everything" behind a port, for as long as the block that it is given to lasts. */
export async function everythingOverHttp(
  transport: "streamableHttp" | "sse",
  fixedPort?: number,
): Promise<AsyncDisposable & { readonly port: number }> {
  const port = fixedPort ?? (await freePort());
  const child = spawn(process.execPath, [npmPath("everything"), transport], {
    env: { ...process.env, PORT: String(port) },
    stdio: "ignore",
  });
  await answers(child, `http://127.0.0.1:${port}/`);
  return { port, [Symbol.asyncDispose]: () => end(child) };
}

async function answers(child: ChildProcess, url: string): Promise<void> {
  for (const deadline = Date.now() + 20_000; ; await delay(50)) {
    if (child.exitCode !== null) throw new Error(`the server has ended with status ${child.exitCode}`);
    if (
      await fetch(url).then(
        () => true,
        () => false,
      )
    )
      return;
    if (Date.now() > deadline) throw new Error(`${url} does not answer`);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Whether a process of this machine runs. */
export function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
