import { readFile } from "node:fs/promises";
import * as z from "zod";
import { IpyboxError } from "../errors.ts";
import { type McpServerConfig, resolveConfig } from "../mcp/config.ts";
import type { McpServer } from "../mcp/mcp-server.ts";
import { plainText } from "../plain-text.ts";
import { defineTool, textResult, type Tool } from "./tool.ts";

/** The MCP servers that the operator has named, by their names. */
export type NamedServers = ReadonlyMap<string, McpServerConfig>;

const MAX_DESCRIPTION_CHARACTERS = 300;

const file = z.strictObject({ mcpServers: z.record(z.string(), z.record(z.string(), z.unknown())) });

/**
 * Reads a file as MCP clients have it: `{ "mcpServers": { NAME: { "command": …, "args": […] } } }`.
 *
 * @throws IpyboxError `invalid_option`, naming the field or the variable of the environment that is missing.
 */
export async function readServers(path: string | undefined): Promise<NamedServers> {
  if (path === undefined) return new Map();
  let parsed: z.output<typeof file>;
  try {
    parsed = file.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    const reason =
      cause instanceof z.ZodError ? 'it must have "mcpServers" alone, an object: name → config' : (cause as Error).message;
    const text = `--servers ${JSON.stringify(path)} can't be used: ${reason}.`;
    throw new IpyboxError("invalid_option", text, { details: { field: "servers", path }, cause });
  }
  const servers = Object.entries(parsed.mcpServers);
  // What is wrong is told now, and not to a model. Secrets are filled in when a server starts.
  for (const [name, config] of servers) resolveConfig(name, config, process.env);
  return new Map(servers as unknown as readonly [string, McpServerConfig][]);
}

/** A tool that gives cells the tools of a server which the operator has named; none without such servers. */
export function serverTools(servers: NamedServers): readonly Tool[] {
  const [first, ...others] = servers.keys();
  if (first === undefined) return [];
  return [
    defineTool({
      name: "use_mcp_server",
      title: "Use an MCP server in Python",
      description:
        "Gives cells the tools of an MCP server as a Python package, and lists them: from mcp_tools.SERVER import TOOL, then " +
        "TOOL.run(TOOL.Params(…)). After a reset of the sandbox, call it again.",
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
      // A name, never a command: what is started on the host is the operator's choice alone.
      inputSchema: z.strictObject({ server: z.enum([first, ...others]).describe("Which server") }),
      run: async ({ server: name }, { sandbox, signal }) => {
        const config = servers.get(name);
        if (config === undefined) throw new IpyboxError("invalid_option", `There is no server ${JSON.stringify(name)}.`);
        const server = await sandbox.use(signal, ({ client }) => client.addMcpServer(name, config, { signal }));
        return textResult(plainText(`${sandbox.takeNotice()}${describe(server)}`));
      },
    }),
  ];
}

function describe({ packageName, tools }: McpServer): string {
  const lines = tools.map(({ module, description }) => {
    const name = module.slice(module.lastIndexOf(".") + 1);
    const short = description.replace(/\s+/g, " ").trim().slice(0, MAX_DESCRIPTION_CHARACTERS);
    return `- from ${packageName} import ${name}${short === "" ? "" : `: ${short}`}`;
  });
  return [`${packageName} has ${tools.length} tools. help(TOOL.Params) tells what one takes.`, ...lines].join("\n");
}
