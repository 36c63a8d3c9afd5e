import * as z from "zod";
import { IpyboxError } from "../errors.ts";
import { nonEmptyText, parseOptions, text } from "../parse-options.ts";

/** Time limits of an MCP server. */
export interface McpTimeLimits {
  /** Time that a start of the server may take, with the list of its tools, in milliseconds. Default 30,000. */
  readonly startTimeoutMs?: number | undefined;
  /** Time that a call of a tool may take, counted anew when it reports progress, in milliseconds. Default 60,000. */
  readonly callTimeoutMs?: number | undefined;
}

/**
 * An MCP server that is a process and speaks over its standard input and output. `${VAR}` in a text is filled from this process's
 * environment, `${VAR:-text}` falls back to a text.
 */
export interface McpStdioConfig extends McpTimeLimits {
  readonly type?: "stdio" | undefined;
  readonly command: string;
  readonly args?: readonly string[] | undefined;
  /** Added to a few harmless variables of this process, such as PATH and HOME; in the container, to the kernels' own. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Default: that of this process; in the container `/app`. */
  readonly cwd?: string | undefined;
  /** Where it runs: `"host"` (default) beside this process, `"container"` in the sandbox, as its code does. */
  readonly location?: "host" | "container" | undefined;
}

/** An MCP server that is reached over HTTP. `${VAR}` in a text is filled from this process's environment. */
export interface McpHttpConfig extends McpTimeLimits {
  /** `"http"` is streamable HTTP. Default: that, and `"sse"` where the server does not know it. */
  readonly type?: "http" | "streamable-http" | "streamableHttp" | "sse" | undefined;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** An MCP server, as the configuration files of MCP clients write it. */
export type McpServerConfig = McpStdioConfig | McpHttpConfig;

interface Limits {
  readonly startTimeoutMs: number;
  readonly callTimeoutMs: number;
  readonly secrets: readonly Secret[];
}

/** A config with its defaults, and with its variables filled. */
export type ResolvedConfig = Limits &
  (
    | {
        readonly kind: "stdio";
        readonly command: string;
        readonly args: readonly string[];
        readonly env: Readonly<Record<string, string>>;
        readonly cwd: string | undefined;
        readonly location: "host" | "container";
      }
    | {
        readonly kind: "http";
        /** Undefined when it is to be found out. */
        readonly transport: "http" | "sse" | undefined;
        readonly url: URL;
        readonly headers: Readonly<Record<string, string>>;
      }
  );

/** A value that must not be shown, and what is shown in its place. */
export interface Secret {
  readonly value: string;
  readonly shown: string;
}

const START_TIMEOUT_MS = 30_000;
const CALL_TIMEOUT_MS = 60_000;

const duration = z
  .number({ error: "must be a number of milliseconds" })
  .min(1, { error: "must be 1 or more milliseconds" })
  .max(2 ** 31 - 1, { error: "must be less than 2^31 milliseconds" });
const texts = z.record(nonEmptyText, text, { error: "must be an object of strings" });
const limits = { startTimeoutMs: duration.optional(), callTimeoutMs: duration.optional() };
const stdioSchema = z.strictObject({
  ...limits,
  type: z.literal("stdio", { error: 'must be "stdio" where there is a command' }).optional(),
  command: nonEmptyText,
  args: z.array(text, { error: "must be an array of strings" }).optional(),
  env: texts.optional(),
  cwd: nonEmptyText.optional(),
  location: z.enum(["host", "container"], { error: 'must be "host" or "container"' }).optional(),
});
const httpSchema = z.strictObject({
  ...limits,
  type: z
    .enum(["http", "streamable-http", "streamableHttp", "sse"], { error: 'must be "http" or "sse" where there is a url' })
    .optional(),
  url: nonEmptyText,
  headers: texts.optional(),
});

/**
 * Checks a config and fills its variables from `environment`.
 *
 * @throws IpyboxError `invalid_option`, naming the field or the variable, never a value.
 */
export function resolveConfig(name: string, config: unknown, environment: NodeJS.ProcessEnv): ResolvedConfig {
  const owner = `MCP server ${JSON.stringify(name)}`;
  const { command, url } = (typeof config === "object" && config !== null ? config : {}) as { command?: unknown; url?: unknown };
  if ((command === undefined) === (url === undefined)) {
    throw invalid(`${owner}: the config must have either a command or a url.`, "command");
  }
  const filler = new Filler(owner, environment);
  return url === undefined
    ? resolveStdio(parseOptions(stdioSchema, config, owner), filler)
    : resolveHttp(parseOptions(httpSchema, config, owner), filler);
}

function resolveStdio(config: z.output<typeof stdioSchema>, filler: Filler): ResolvedConfig {
  const { args = [], cwd, location = "host" } = config;
  return {
    kind: "stdio",
    command: filler.fill(config.command, "command"),
    args: args.map((argument, index) => filler.fill(argument, `args.${index}`)),
    env: filler.fillAll(config.env, "env"),
    cwd: cwd === undefined ? undefined : filler.fill(cwd, "cwd"),
    location,
    ...limitsOf(config, filler),
  };
}

function resolveHttp(config: z.output<typeof httpSchema>, filler: Filler): ResolvedConfig {
  const text = filler.fill(config.url, "url");
  if (!/^https?:/i.test(text) || !URL.canParse(text)) {
    throw invalid(`${filler.owner}: option "url" must be a URL that begins with http:// or https://.`, "url");
  }
  const { type } = config;
  return {
    kind: "http",
    transport: type === undefined || type === "sse" ? type : "http",
    url: new URL(text),
    headers: filler.fillAll(config.headers, "headers"),
    ...limitsOf(config, filler),
  };
}

function limitsOf(config: McpTimeLimits, filler: Filler): Limits {
  const { startTimeoutMs = START_TIMEOUT_MS, callTimeoutMs = CALL_TIMEOUT_MS } = config;
  return { startTimeoutMs, callTimeoutMs, secrets: filler.secrets };
}

/** Fills variables, and remembers what must not be shown. */
class Filler {
  readonly owner: string;
  readonly secrets: Secret[] = [];
  readonly #environment: NodeJS.ProcessEnv;

  constructor(owner: string, environment: NodeJS.ProcessEnv) {
    this.owner = owner;
    this.#environment = environment;
  }

  fill(template: string, field: string): string {
    return template.replace(/\$\{([^}]*)\}/g, (reference, inner: string) => {
      const [, name, fallback] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inner) ?? [];
      if (name === undefined) {
        throw invalid(
          `${this.owner}: option ${JSON.stringify(field)} has ${reference}, which names no environment variable. ` +
            "Write ${NAME} or ${NAME:-default}.",
          field,
        );
      }
      // As in a shell, what is empty takes the fallback, too.
      const value = this.#environment[name] || (fallback ?? this.#environment[name]);
      if (value === undefined) {
        throw invalid(
          `${this.owner}: option ${JSON.stringify(field)} needs the environment variable ${name}, which is not set.`,
          field,
          name,
        );
      }
      this.secrets.push({ value, shown: reference });
      return value;
    });
  }

  /** Whatever stands in such a field may be a secret. */
  fillAll(values: Readonly<Record<string, string>> | undefined, field: string): Readonly<Record<string, string>> {
    return Object.fromEntries(
      Object.entries(values ?? {}).map(([key, value]) => {
        const filled = this.fill(value, `${field}.${key}`);
        this.secrets.push({ value: filled, shown: "…" });
        return [key, filled] as const;
      }),
    );
  }
}

function invalid(message: string, field: string, variable?: string): IpyboxError {
  return new IpyboxError("invalid_option", message, { details: { field, ...(variable === undefined ? {} : { variable }) } });
}
