import { IpyboxError } from "../errors.ts";
import type { ExecutionContainerOptions } from "../options.ts";
import { AllowedDirectories } from "./allowed-directories.ts";
import { type Containers, OwnContainers, SharedContainer } from "./containers.ts";
import { fileTools } from "./file-tools.ts";
import { HttpServing } from "./http.ts";
import { isLoopback } from "./http-guard.ts";
import { HttpSessions } from "./http-sessions.ts";
import { kernelTools } from "./kernel-tools.ts";
import type { SandboxOptions } from "./sandbox.ts";
import { readServers, serverTools } from "./server-tools.ts";
import { serveOverStdio } from "./stdio.ts";
import { readTokenFile } from "./token-file.ts";
import type { Tool } from "./tool.ts";

/** Bytes of a message of a client. */
const MAX_MESSAGE_BYTES = 16 * 1_048_576;

export interface McpOptions {
  readonly container: ExecutionContainerOptions;
  readonly allowedDirectories: readonly string[];
  readonly serversFile: string | undefined;
  /** Time that a cell may take when its caller says nothing. */
  readonly timeoutMs: number | null;
  /** A sandbox without calls ends after it; null for never. */
  readonly idleTimeoutMs: number | null;
  /** One container for all sessions. */
  readonly isShared: boolean;
  /** Where to listen; undefined for standard input and output. */
  readonly http: HttpListening | undefined;
  /** Tells the operator something. Standard output belongs to the protocol. */
  readonly log: (line: string) => void;
  /** Ends the server. */
  readonly signal: AbortSignal;
}

export interface HttpListening {
  readonly host: string;
  readonly port: number;
  readonly tokenFile: string | undefined;
  readonly defaultTokenFile: string;
  readonly maxSessions: number;
}

/** Serves until the client, or the signal, ends it. Then all sandboxes are gone. */
export async function startMcp(options: McpOptions): Promise<void> {
  const { container, isShared, idleTimeoutMs, timeoutMs, http, signal } = options;
  const containers: Containers = isShared ? new SharedContainer(sandboxed(container)) : new OwnContainers(sandboxed(container));
  const sandbox: SandboxOptions = { containers, idleTimeoutMs };
  const allowed = await AllowedDirectories.open(options.allowedDirectories);
  const servers = await readServers(options.serversFile);
  const tools: readonly Tool[] = [...kernelTools({ timeoutMs }), ...fileTools(allowed), ...serverTools(servers)];
  if (http === undefined) await serveOverStdio({ tools, sandbox, maxMessageBytes: MAX_MESSAGE_BYTES, signal });
  else await serveOverHttp(http, new HttpSessions({ tools, sandbox, maxSessions: http.maxSessions }), options);
}

/** What a model runs is not trusted with the network of whoever runs the server. */
function sandboxed(options: ExecutionContainerOptions): ExecutionContainerOptions {
  return { ...options, network: options.network ?? "public", showPullProgress: false };
}

async function serveOverHttp(http: HttpListening, sessions: HttpSessions, { log, signal }: McpOptions): Promise<void> {
  const { host, port, tokenFile, defaultTokenFile } = http;
  if (tokenFile === undefined && !isLoopback(host)) {
    const text = `Others can reach ${host}: pass --token-file with tokens for them, or listen on 127.0.0.1.`;
    throw new IpyboxError("invalid_option", text, { details: { field: "tokenFile", host } });
  }
  const path = tokenFile ?? defaultTokenFile;
  const { tokens, isNew } = await readTokenFile(path);
  const serving = await HttpServing.start({ host, port, tokens, sessions, maxMessageBytes: MAX_MESSAGE_BYTES });
  log(`Serving MCP at ${serving.url}. Clients need a token of ${path}${isNew ? ", which is new" : ""}.`);
  try {
    await aborted(signal);
  } finally {
    await serving.close();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
