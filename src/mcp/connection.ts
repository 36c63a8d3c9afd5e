import {
  type CallToolResult,
  Client,
  type jsonSchemaValidator,
  SSEClientTransport,
  StreamableHTTPClientTransport,
  type Transport,
} from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { timerMs } from "../internal/timer.ts";
import { boundedFetch, MAX_MESSAGE_BYTES } from "./bounded-fetch.ts";
import type { ToolDefinition } from "./codegen/tool-module.ts";
import type { ResolvedConfig } from "./config.ts";
import { isAnswer, isBroken, isTimeout } from "./failures.ts";
import { type RelayKernel, RelayTransport } from "./relay-transport.ts";
import type { StderrTail } from "./stderr-tail.ts";

/** What a connection needs and tells. */
export interface ConnectionHost {
  /** A kernel of its own for a server in the sandbox. */
  openKernel(): Promise<RelayKernel>;
  /** The server says that its tools have changed. */
  onToolsChanged(): void;
  /** It has ended, or can't be relied on any more. */
  onClosed(): void;
}

const IDENTITY = { name: "ipybox", version: "0.1.0" };

/** After a call that was not answered, a server that is well answers this in time. */
const PING_MS = 5_000;

/** Results are checked in the sandbox: the schemas are the server's, and compiling them here would be a risk for nothing. */
const UNCHECKED: jsonSchemaValidator = {
  getValidator: () => (input) => ({ valid: true, data: input as never, errorMessage: undefined }),
};

/** A connection to a running server. */
export class Connection {
  readonly #client: Client;
  readonly #transport: Transport;
  readonly #host: ConnectionHost;
  readonly #config: ResolvedConfig;
  #doubted: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  private constructor(client: Client, transport: Transport, config: ResolvedConfig, host: ConnectionHost) {
    this.#client = client;
    this.#transport = transport;
    this.#config = config;
    this.#host = host;
  }

  /** Starts the server, or connects to it. Rejects with the SDK's own errors; see `failures.ts`. */
  static async open(config: ResolvedConfig, host: ConnectionHost, stderr: StderrTail, signal: AbortSignal): Promise<Connection> {
    let failure: unknown;
    for (const attempt of attempts(config, host, stderr)) {
      const client = new Client(IDENTITY, {
        jsonSchemaValidator: UNCHECKED,
        versionNegotiation: { mode: attempt.mode },
        listChanged: { tools: { autoRefresh: false, onChanged: () => host.onToolsChanged() } },
      });
      const transport = attempt.transport();
      const connection = new Connection(client, transport, config, host);
      try {
        await aborted(signal, client.connect(transport, { timeout: timerMs(config.startTimeoutMs) }));
        Object.assign(client, { onclose: () => host.onClosed() });
        return connection;
      } catch (error) {
        await connection.close();
        failure ??= error;
        if (signal.aborted || !attempt.mayGoOn(error)) break;
      }
    }
    throw failure;
  }

  /** What the server says of how to use it. */
  get instructions(): string | undefined {
    return this.#client.getInstructions();
  }

  /** All of its tools, page by page. */
  async tools(signal: AbortSignal): Promise<readonly ToolDefinition[]> {
    const { startTimeoutMs } = this.#config;
    const { tools } = await this.#client.listTools(undefined, { signal, timeout: timerMs(startTimeoutMs), cacheMode: "refresh" });
    return tools;
  }

  /** Calls a tool; rejects with the signal's reason once that aborts. */
  async call(name: string, arguments_: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<CallToolResult> {
    try {
      return await this.#client.callTool(
        { name, arguments: arguments_ },
        // Progress is only reported to those who ask for it.
        { signal, timeout: timerMs(this.#config.callTimeoutMs), resetTimeoutOnProgress: true, onprogress: () => undefined },
      );
    } catch (error) {
      signal.throwIfAborted();
      if (isTimeout(error)) this.#doubt();
      else if (isBroken(error)) void this.close();
      throw error;
    }
  }

  /** Waits until it is known whether a server that has kept a caller waiting is there at all. */
  async certain(): Promise<void> {
    await this.#doubted;
  }

  /** Ends the connection, and a server that was started for it. */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    this.#host.onClosed();
    if (this.#transport instanceof StreamableHTTPClientTransport) {
      await within(this.#transport.terminateSession(), PING_MS).catch(() => undefined);
    }
    await this.#client.close().catch(() => undefined);
    await this.#transport.close().catch(() => undefined);
  }

  #doubt(): void {
    if (this.#client.getProtocolEra() !== "legacy") return; // there is no session that could be lost
    this.#doubted ??= this.#client.ping({ timeout: PING_MS }).then(
      () => (this.#doubted = undefined),
      () => void this.close(),
    );
  }
}

interface Attempt {
  readonly mode: "legacy" | "auto" | { readonly pin: string };
  transport(): Transport;
  /** Whether the error leaves hope for the next attempt. */
  mayGoOn(error: unknown): boolean;
}

/** The ways to speak to a server, the likely one first. */
function attempts(config: ResolvedConfig, host: ConnectionHost, stderr: StderrTail): readonly Attempt[] {
  if (config.kind === "http") {
    const requestInit = { headers: config.headers };
    const options = { requestInit, fetch: boundedFetch };
    const http: Attempt = {
      mode: "auto",
      transport: () => new StreamableHTTPClientTransport(config.url, options),
      mayGoOn: (error) => config.transport === undefined && isUnknownToHttp(error),
    };
    const sse: Attempt = { mode: "legacy", transport: () => new SSEClientTransport(config.url, options), mayGoOn: () => false };
    return config.transport === "sse" ? [sse] : [http, sse];
  }
  const transport = (): Transport => {
    if (config.location === "container") return new RelayTransport(config, () => host.openKernel(), stderr);
    const { command, args, env, cwd } = config;
    const stdio = new StdioClientTransport({
      command,
      args: [...args],
      env: { ...env },
      stderr: "pipe",
      maxBufferSize: MAX_MESSAGE_BYTES,
      ...(cwd === undefined ? {} : { cwd }),
    });
    if (stdio.stderr !== null) stderr.follow(stdio.stderr);
    return stdio;
  };
  // Asking for the newest version first would take a second process each time.
  return [
    { mode: "legacy", transport, mayGoOn: isAnswer },
    { mode: { pin: "2026-07-28" }, transport, mayGoOn: () => false },
  ];
}

/** Servers from before streamable HTTP answer its first request with one of these. */
function isUnknownToHttp(error: unknown): boolean {
  return [400, 404, 405].includes((error as { status?: unknown }).status as number);
}

/** The promise, or the signal's reason once that aborts. */
function aborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  promise.catch(() => undefined);
  let abort: () => void;
  return Promise.race([
    promise,
    new Promise<never>((_, reject) => {
      abort = () => reject(signal.reason);
      signal.addEventListener("abort", abort);
    }),
  ]).finally(() => signal.removeEventListener("abort", abort));
}

function within(promise: Promise<unknown>, timeoutMs: number): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  return Promise.race([promise, new Promise((resolve) => (timer = setTimeout(resolve, timeoutMs)))]).finally(() =>
    clearTimeout(timer),
  );
}
