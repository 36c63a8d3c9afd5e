import { IpyboxError } from "../errors.ts";
import { HostCallError } from "../host/host-call-error.ts";
import type { Exposure, HostCallable } from "../host/host-function.ts";
import type { HostFunctions } from "../host/host-functions.ts";
import { packageName, packageSources } from "./codegen/package-modules.ts";
import { resolveConfig } from "./config.ts";
import { McpServer } from "./mcp-server.ts";
import type { RelayKernel } from "./relay-transport.ts";
import { ToolServer } from "./tool-server.ts";

/** What the servers need of their client. */
export interface McpHost {
  readonly hostFunctions: HostFunctions;
  /** Tells the kernel what the host functions are now. */
  publish(wait?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  /** A kernel of its own in the same container. */
  openKernel(): Promise<RelayKernel>;
  /** The server's tools have changed; cells from now on have the new ones. */
  onToolsChanged(server: McpServer): void;
}

interface Entry {
  readonly server: ToolServer;
  readonly shown: McpServer;
}

/** The MCP servers of one client. */
export class McpServers {
  readonly #host: McpHost;
  readonly #entries = new Map<string, Entry>();

  constructor(host: McpHost) {
    this.#host = host;
  }

  /** Starts a server and gives its tools to the cells, in place of one that was added with the same name. */
  async add(name: string, config: unknown, wait: { readonly signal?: AbortSignal | undefined }): Promise<McpServer> {
    this.#assertName(name);
    const server = new ToolServer(name, resolveConfig(name, config, process.env), {
      openKernel: () => this.#host.openKernel(),
      onToolsChanged: () => this.#onToolsChanged(server),
    });
    const entry = { server, shown: new McpServer(server) };
    try {
      await server.start(wait.signal);
      this.#assertName(name);
      const before = this.#entries.get(name);
      this.#entries.set(name, entry);
      this.#expose(entry);
      await Promise.all([before?.server.close(), this.#host.publish(wait)]);
      return entry.shown;
    } catch (error) {
      if (this.#entries.get(name) === entry) this.#forget(name);
      await server.close();
      throw error;
    }
  }

  /** Ends a server, and takes its package from the cells. False when there is none of that name. */
  async remove(name: string, wait: { readonly signal?: AbortSignal | undefined }): Promise<boolean> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return false;
    this.#forget(name);
    await Promise.all([entry.server.close(), this.#host.publish(wait)]);
    return true;
  }

  list(): readonly McpServer[] {
    return [...this.#entries.values()].map(({ shown }) => shown);
  }

  /** The same servers for the client of a fork: each is started on its own when the fork uses it. */
  copy(host: McpHost): McpServers {
    const copy = new McpServers(host);
    for (const [name, entry] of this.#entries) {
      const server: ToolServer = entry.server.sibling({
        openKernel: () => host.openKernel(),
        onToolsChanged: () => copy.#onToolsChanged(server),
      });
      const own = { server, shown: new McpServer(server) };
      copy.#entries.set(name, own);
      copy.#expose(own);
    }
    return copy;
  }

  /** Ends all servers. Each is started again when it is used. */
  async close(): Promise<void> {
    await Promise.all([...this.#entries.values()].map(({ server }) => server.close()));
  }

  #onToolsChanged(server: ToolServer): void {
    const entry = this.#entries.get(server.name);
    if (entry?.server !== server) return; // not added yet, or removed
    this.#expose(entry);
    this.#host.publish().then(
      () => this.#host.onToolsChanged(entry.shown),
      () => undefined, // the client has gone, and with it the cells that would use them
    );
  }

  #expose({ server, shown }: Entry): void {
    this.#host.hostFunctions.set(heading(server.name), exposureOf(server, shown));
  }

  #forget(name: string): void {
    this.#entries.delete(name);
    this.#host.hostFunctions.delete(heading(name));
  }

  #assertName(name: unknown): void {
    const given = typeof name === "string" ? JSON.stringify(name) : String(name);
    const wanted = typeof name === "string" ? packageName(name) : undefined;
    if (wanted === undefined) {
      const message = `addMcpServer: name must begin with a letter and name a Python package. Given was ${given}.`;
      throw new IpyboxError("invalid_option", message, { details: { field: "name" } });
    }
    const other = [...this.#entries.keys()].find((one) => one !== name && packageName(one) === wanted);
    if (other === undefined) return;
    const message = `addMcpServer: ${given} and ${JSON.stringify(other)} would be the same Python package, ${wanted}.`;
    throw new IpyboxError("invalid_option", message, { details: { field: "name" } });
  }
}

function heading(name: string): string {
  return `mcp:${name}`;
}

function exposureOf(server: ToolServer, { name, tools }: McpServer): Exposure {
  return {
    functions: new Map(tools.map((tool) => [tool.module, callableOf(server, tool.name)])),
    modules: packageSources(name, packageName(name) ?? name, tools),
  };
}

function callableOf(server: ToolServer, tool: string): HostCallable {
  const label = `${server.name}.${tool}`;
  return {
    kind: "tool",
    label,
    parseInput: (input) => server.argumentsOf(tool, assertArguments(label, input)),
    parseOutput: (output) => output,
    run: (input, { signal }) => server.call(tool, input as Readonly<Record<string, unknown>>, signal),
  };
}

/** Arguments are JSON: cells can also send what JSON lacks. */
function assertArguments(label: string, input: unknown): Readonly<Record<string, unknown>> {
  const isObject = typeof input === "object" && input !== null && !Array.isArray(input) && !ArrayBuffer.isView(input);
  if (!isObject) throw new HostCallError("invalid", `${label}: the arguments must be an object`, "TypeError");
  for (const left: unknown[] = [input]; left.length > 0;) {
    const value = left.pop();
    if (typeof value === "bigint") {
      throw new HostCallError("invalid", `${label}: ${value} is beyond the integers that JSON keeps exactly`, "TypeError");
    }
    if (typeof value !== "object" || value === null) continue;
    const prototype: unknown = Object.getPrototypeOf(value);
    if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) {
      throw new HostCallError("invalid", `${label}: bytes and arrays of numbers have no place in JSON`, "TypeError");
    }
    left.push(...Object.values(value));
  }
  return input as Readonly<Record<string, unknown>>;
}
