import { join } from "node:path";
import { Command, Option } from "commander";
import { homeDirectory } from "../internal/home-directory.ts";
import { addSandboxFlags, containerOptions, type SandboxFlags } from "./container-flags.ts";
import { type Interrupts, interruptible } from "./interrupt.ts";
import { readCount, readPort, readTimeout } from "./numbers.ts";
import { log } from "./print.ts";
import { UsageError } from "./usage-error.ts";

interface McpFlags extends SandboxFlags {
  readonly http?: boolean;
  readonly host: string;
  readonly port: number;
  readonly tokenFile?: string;
  readonly allowedDir?: readonly string[];
  readonly servers?: string;
  readonly timeout: number | null;
  readonly idleTimeout: number | null;
  readonly maxSessions: number;
  readonly sharedContainer?: boolean;
}

const DEFAULT_PORT = 8_717;
const DEFAULT_TIMEOUT_MS = 120_000;
const DEFAULT_IDLE_MS = 60 * 60_000;
const DEFAULT_MAX_SESSIONS = 8;

const AFTER_HELP = `
Without --http the protocol is spoken on standard input and output, for the client that starts this command.
Clients over HTTP send "Authorization: Bearer TOKEN" with a token of the file.`;

/** `ipybox mcp` */
export function mcpCommand(): Command {
  const command = new Command("mcp").description("Serve sandboxes to agents by the Model Context Protocol");
  return addSandboxFlags(command, "public")
    .option("--http", "serve over streamable HTTP, with a session for each client")
    .option("--host <address>", "address to listen on; one that others reach needs --token-file", "127.0.0.1")
    .addOption(new Option("--port <port>", "port to listen on").default(DEFAULT_PORT).argParser(readPort))
    .option("--token-file <file>", "tokens that let clients in, one a line; made when missing (default: one of this user)")
    .option("--allowed-dir <dir>", "host directory that files may be copied from and to (repeatable; default: none)", append)
    .option("--servers <file>", "MCP servers that cells may use, as JSON with mcpServers")
    .addOption(
      new Option("--timeout <seconds>", "how long a cell may run, 0 for no limit")
        .default(DEFAULT_TIMEOUT_MS, "120")
        .argParser(readTimeout),
    )
    .addOption(
      new Option("--idle-timeout <seconds>", "end a sandbox without calls after this time, 0 for never")
        .default(DEFAULT_IDLE_MS, "3600")
        .argParser(readTimeout),
    )
    .addOption(
      new Option("--max-sessions <number>", "sessions at a time, over HTTP")
        .default(DEFAULT_MAX_SESSIONS)
        .argParser((text) => readCount("--max-sessions", text)),
    )
    .option("--shared-container", "one container for all sessions: they share files and packages, but no variables")
    .addHelpText("after", AFTER_HELP)
    .action((flags: McpFlags) => interruptible((interrupts) => mcp(flags, interrupts)));
}

async function mcp(flags: McpFlags, { signal }: Interrupts): Promise<void> {
  if (flags.http !== true && flags.tokenFile !== undefined) throw new UsageError("--token-file is for --http alone.");
  // The SDK takes long to load: only when it is used.
  const { startMcp } = await import("../mcp-server/start.ts");
  await startMcp({
    // The port is the server's, not a container's.
    container: await containerOptions({ ...flags, port: undefined }),
    allowedDirectories: flags.allowedDir ?? [],
    serversFile: flags.servers,
    timeoutMs: flags.timeout,
    idleTimeoutMs: flags.idleTimeout,
    isShared: flags.sharedContainer === true,
    http:
      flags.http === true
        ? {
            host: flags.host,
            port: flags.port,
            tokenFile: flags.tokenFile,
            defaultTokenFile: defaultTokenFile(),
            maxSessions: flags.maxSessions,
          }
        : undefined,
    log,
    signal,
  });
}

/** This user's own tokens. */
function defaultTokenFile(env: NodeJS.ProcessEnv = process.env): string {
  return join(env["XDG_CONFIG_HOME"] || join(homeDirectory(), ".config"), "ipybox/mcp-token");
}

function append(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}
