import { readFileSync } from "node:fs";
import { type CallToolResult, McpServer, type ServerContext } from "@modelcontextprotocol/server";
import { plainText } from "../plain-text.ts";
import { Progress } from "./progress.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Tool } from "./tool.ts";

const INSTRUCTIONS =
  "A sandbox with a stateful IPython kernel. Run code with execute_ipython_cell: variables are kept from call to call, plots come back as " +
  "images. Install what is missing with install_package.";

/** A server for one session: its tools work on that session's sandbox. */
export function createServer(tools: readonly Tool[], sandbox: Sandbox): McpServer {
  const server = new McpServer(
    { name: "ipybox", title: "ipybox", version: packageVersion() },
    { capabilities: { tools: { listChanged: false } }, instructions: INSTRUCTIONS },
  );
  for (const tool of tools) {
    const { name, title, description, annotations, inputSchema } = tool;
    server.registerTool(name, { title, description, annotations, inputSchema }, (input: unknown, context: ServerContext) =>
      callTool(tool, input, sandbox, context),
    );
  }
  return server;
}

async function callTool(tool: Tool, input: unknown, sandbox: Sandbox, context: ServerContext): Promise<CallToolResult> {
  const { signal, notify, _meta } = context.mcpReq;
  const progressToken = _meta?.progressToken;
  const progress = new Progress(
    progressToken === undefined
      ? undefined
      : (number, message) => notify({ method: "notifications/progress", params: { progressToken, progress: number, message } }),
  );
  try {
    return await tool.run(input, { sandbox, signal, onProgress: (text) => progress.add(text) });
  } catch (error) {
    const text = plainText(error instanceof Error ? error.message : String(error));
    return { content: [{ type: "text", text }], isError: true };
  } finally {
    await progress.end();
  }
}

function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}
