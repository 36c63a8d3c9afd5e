import { once } from "node:events";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { LineTransport } from "./line-transport.ts";
import { Sandbox, type SandboxOptions } from "./sandbox.ts";
import { createServer } from "./server.ts";
import type { Tool } from "./tool.ts";

export interface StdioOptions {
  readonly tools: readonly Tool[];
  readonly sandbox: SandboxOptions;
  readonly maxMessageBytes: number;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Speaks MCP on standard input and output until the client, or the signal, ends it. Then the sandbox is gone. */
export async function serveOverStdio({ tools, sandbox: options, maxMessageBytes, signal }: StdioOptions): Promise<void> {
  const sandbox = new Sandbox(options);
  const transport = new LineTransport(process.stdin, process.stdout, { maxMessageBytes });
  const handle = serveStdio(() => createServer(tools, sandbox), { transport });
  const aborted = signal.aborted ? Promise.resolve() : once(signal, "abort");
  await Promise.race([transport.closed, aborted]);
  options.containers.close();
  const [, closed] = await Promise.allSettled([handle.close(), sandbox.close()]);
  if (closed.status === "rejected") throw closed.reason;
}
