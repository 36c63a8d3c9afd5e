import type { ApprovalHandler } from "./host/approval.ts";
import type { QuestionOptions } from "./client-options.ts";
import { ExecutionAbortedError, KernelDiedError } from "./errors.ts";
import { expectReply } from "./introspection.ts";
import type { McpServerConfig } from "./mcp/config.ts";
import type { McpServer } from "./mcp/mcp-server.ts";
import type { McpHost, McpServers } from "./mcp/mcp-servers.ts";
import { Question } from "./question.ts";
import type { Session } from "./session.ts";
import { type CompiledFunction, compileFunctions, exposureOf } from "./host/expose.ts";
import { HostCalls } from "./host/host-calls.ts";
import type { HostFunction } from "./host/host-function.ts";
import { HostFunctions } from "./host/host-functions.ts";
import { SHELL_COMMANDS } from "./host/shell-commands.ts";

/** Under it, `HostFunctions` keeps what `expose()` is given. */
const EXPOSED = "host";

/** A kernel that dies each time it is told what is exposed is beyond help. */
const MAX_PUBLISH_ATTEMPTS = 3;

export interface HostSideOptions {
  readonly onApproval?: ApprovalHandler | undefined;
  readonly approveShellCommands?: boolean | undefined;
  readonly requireShellEscape?: boolean | undefined;
}

/** What this needs of its client. */
export interface HostSideClient extends Pick<McpHost, "openKernel" | "onToolsChanged"> {
  /** Its session; throws when it is not connected. `action` names who asks. */
  session(action: string): Session;
}

/** What cells of one client can use of this program: functions, shell commands with approval, tools of MCP servers. */
export class HostSide {
  /** Answers what cells call. */
  readonly calls: HostCalls;
  readonly #functions: HostFunctions;
  readonly #client: HostSideClient;
  #exposed: ReadonlyMap<string, CompiledFunction>;
  #mcp: McpServers | undefined;

  /** Begins with a copy of what `inherited` has, from then on the two differ. */
  constructor(options: HostSideOptions, client: HostSideClient, inherited?: HostSide) {
    const { onApproval, approveShellCommands = false, requireShellEscape = false } = options;
    this.#client = client;
    this.#functions = inherited === undefined ? new HostFunctions(requireShellEscape) : inherited.#functions.copy();
    this.#exposed = inherited === undefined ? new Map() : inherited.#exposed;
    if (approveShellCommands) this.#functions.set("shell", SHELL_COMMANDS);
    this.calls = new HostCalls(this.#functions, onApproval);
    this.#mcp = inherited === undefined ? undefined : inherited.#mcp?.copy(this.#mcpHost());
  }

  /** Whether a kernel need not be told anything. */
  get empty(): boolean {
    return this.#functions.empty;
  }

  /** Lets cells call these functions, too. */
  async expose(functions: Readonly<Record<string, HostFunction>>, options: QuestionOptions): Promise<void> {
    this.#client.session("expose");
    const compiled = await compileFunctions(functions);
    this.#exposed = new Map([...this.#exposed, ...compiled]);
    this.#functions.set(EXPOSED, exposureOf(this.#exposed));
    await this.publish(options);
  }

  /** Tells the kernel what there is now, after the cells before. */
  async publish(options: QuestionOptions = {}): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const session = this.#client.session("expose");
      const content = this.#functions.content();
      const request = { type: "expose_request", execution: session.number(), client: session.client, ...content } as const;
      try {
        expectReply(await Question.ask(session, request, options), "expose_reply");
        return;
      } catch (error) {
        // A reset or a death before its turn is none of its business.
        const lost =
          error instanceof KernelDiedError || (error instanceof ExecutionAbortedError && error.details["reason"] === "reset");
        if (!lost || attempt === MAX_PUBLISH_ATTEMPTS) throw error;
      }
    }
  }

  /** Starts an MCP server, and gives cells its tools. */
  async addMcpServer(name: string, config: McpServerConfig, options: QuestionOptions): Promise<McpServer> {
    this.#client.session("addMcpServer");
    // Loaded when it is needed: most programs use none.
    const { McpServers } = await import("./mcp/mcp-servers.ts");
    this.#mcp ??= new McpServers(this.#mcpHost());
    return this.#mcp.add(name, config, options);
  }

  /** Ends an MCP server. False when there is none of that name. */
  async removeMcpServer(name: string, options: QuestionOptions): Promise<boolean> {
    this.#client.session("removeMcpServer");
    return (await this.#mcp?.remove(name, options)) ?? false;
  }

  get mcpServers(): readonly McpServer[] {
    return this.#mcp?.list() ?? [];
  }

  /** Ends the MCP servers; each is started again when it is used. */
  async closeServers(): Promise<void> {
    await this.#mcp?.close();
  }

  #mcpHost(): McpHost {
    return {
      hostFunctions: this.#functions,
      publish: (wait) => this.publish(wait),
      openKernel: () => this.#client.openKernel(),
      onToolsChanged: (server) => this.#client.onToolsChanged(server),
    };
  }
}
