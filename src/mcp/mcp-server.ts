import { packageName, ROOT_PACKAGE, toolModules } from "./codegen/package-modules.ts";
import type { ToolServer } from "./tool-server.ts";

/** A tool of an MCP server, as cells can call it. */
export interface McpTool {
  /** Its name at the server. */
  readonly name: string;
  /** Its Python module, for instance `mcp_tools.files.read_file`. */
  readonly module: string;
  readonly description: string;
  /** The module's source: what to show to whoever writes the cells. */
  readonly source: string;
}

/** An MCP server whose tools cells can call. */
export class McpServer {
  /** The name it was added with. */
  readonly name: string;
  readonly #server: ToolServer;
  #tools: readonly McpTool[] = [];
  #listed: unknown;

  /** @internal Made by `client.addMcpServer`. */
  constructor(server: ToolServer) {
    this.name = server.name;
    this.#server = server;
  }

  /** Its Python package, for instance `mcp_tools.files`. */
  get packageName(): string {
    return `${ROOT_PACKAGE}.${packageName(this.name) ?? this.name}`;
  }

  /** What the server says of how to use it. */
  get instructions(): string | undefined {
    return this.#server.instructions;
  }

  /** Its tools, in its own order. Another list once the server has said that they have changed. */
  get tools(): readonly McpTool[] {
    if (this.#listed !== this.#server.tools) {
      this.#listed = this.#server.tools;
      this.#tools = toolModules(packageName(this.name) ?? this.name, this.#server.tools).map(({ tool, ...rest }) => ({
        name: tool,
        ...rest,
      }));
    }
    return this.#tools;
  }
}
