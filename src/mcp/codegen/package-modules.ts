import { assignIdentifiers, pythonIdentifier } from "./identifiers.ts";
import { pythonDocstring, pythonLiteral } from "../../host/python-literal.ts";
import { shortened } from "./models.ts";
import { type ToolDefinition, toolModule } from "./tool-module.ts";

/** The package that all servers' packages are in. */
export const ROOT_PACKAGE = "mcp_tools";

/** What users catch and look at; its names can't be servers'. */
const ROOT_NAMES = [
  ...["AudioContent", "EmbeddedResource", "ImageContent", "McpError", "McpServerError", "McpToolError"],
  ...["ResourceLink", "TextContent", "ToolResult"],
];

const ROOT_SOURCE = `"""Tools of MCP servers: a package for each server, a module for each tool."""

from ipybox_kernel.mcp import ${ROOT_NAMES.join(", ")}
`;

/** A tool, and where it is in Python. */
export interface ToolModule {
  /** The tool's name at the server. */
  readonly tool: string;
  /** Its module's dotted name, `mcp_tools.SERVER.TOOL`. */
  readonly module: string;
  readonly description: string;
  readonly source: string;
}

/** The name of a server's package, without `mcp_tools.`; undefined where the name leaves none. */
export function packageName(server: string): string | undefined {
  const name = pythonIdentifier(server, "");
  return name === "" || name.startsWith("_") || ROOT_NAMES.includes(name) ? undefined : name;
}

/** The modules of a server's tools in its package, in the order in which the server lists them. */
export function toolModules(name: string, tools: readonly ToolDefinition[]): readonly ToolModule[] {
  const identifiers = assignIdentifiers(
    tools.map(({ name }) => name),
    "tool",
  );
  return [...new Map(tools.map((tool) => [tool.name, tool])).values()].map((tool) => {
    const module = `${ROOT_PACKAGE}.${name}.${identifiers.get(tool.name)}`;
    return { tool: tool.name, module, description: shortened(tool.description ?? ""), source: toolModule(module, tool) };
  });
}

/** The sources of a server's package by their dotted names. */
export function packageSources(
  server: string,
  name: string,
  tools: readonly Pick<ToolModule, "module" | "source">[],
): Readonly<Record<string, string>> {
  const names = tools.map(({ module }) => module.slice(module.lastIndexOf(".") + 1));
  const all = names.length === 0 ? "[]" : `[\n${names.map((tool) => `    ${pythonLiteral(tool)},`).join("\n")}\n]`;
  return Object.fromEntries([
    [ROOT_PACKAGE, ROOT_SOURCE],
    [`${ROOT_PACKAGE}.${name}`, `${pythonDocstring(`Tools of the MCP server ${server}.`, "")}\n\n__all__ = ${all}\n`],
    ...tools.map(({ module, source }) => [module, source] as const),
  ]);
}
