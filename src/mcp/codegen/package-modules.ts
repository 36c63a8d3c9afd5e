import { assignIdentifiers, pythonIdentifier } from "./identifiers.ts";
import { docstring, pythonLiteral } from "./literals.ts";
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

from ipybox_kernel.mcp import (
${ROOT_NAMES.map((name) => `    ${name},`).join("\n")}
)
`;

/** A tool, and where it is in Python. */
export interface ToolModule {
  /** The tool's name at the server. */
  readonly tool: string;
  /** Its module within the server's package. */
  readonly module: string;
  readonly description: string;
  readonly source: string;
}

/** The name of a server's package, without `mcp_tools.`; undefined where the name leaves none. */
export function packageName(server: string): string | undefined {
  const name = pythonIdentifier(server, "");
  return name === "" || name.startsWith("_") || ROOT_NAMES.includes(name) ? undefined : name;
}

/** The modules of a server's tools, in the order in which the server lists them. */
export function toolModules(server: string, tools: readonly ToolDefinition[]): readonly ToolModule[] {
  const identifiers = assignIdentifiers(
    tools.map(({ name }) => name),
    "tool",
  );
  return [...new Map(tools.map((tool) => [tool.name, tool])).values()].map((tool) => ({
    tool: tool.name,
    module: identifiers.get(tool.name) ?? tool.name,
    description: shortened(tool.description ?? ""),
    source: toolModule(server, tool),
  }));
}

/** The sources of a server's package by their dotted names. */
export function packageSources(server: string, name: string, tools: readonly ToolModule[]): Readonly<Record<string, string>> {
  const root = `${ROOT_PACKAGE}.${name}`;
  const text = `Tools of the MCP server ${server}.`;
  const all = tools.length === 0 ? "[]" : `[\n${tools.map(({ module }) => `    ${pythonLiteral(module)},`).join("\n")}\n]`;
  return Object.fromEntries([
    [ROOT_PACKAGE, ROOT_SOURCE],
    [root, `${docstring(text, "")}\n\n__all__ = ${all}\n`],
    ...tools.map(({ module, source }) => [`${root}.${module}`, source] as const),
  ]);
}
