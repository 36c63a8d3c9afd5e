import { abortAfter } from "../internal/abort-after.ts";
import { deferred } from "../internal/deferred.ts";
import { IpyboxError } from "../errors.ts";
import { withoutAbsent } from "./codegen/absent.ts";
import type { ToolDefinition } from "./codegen/tool-module.ts";
import type { ResolvedConfig } from "./config.ts";
import { Connection } from "./connection.ts";
import { type ToolAnswer, toAnswer } from "./content.ts";
import { describeFailure, isAnswer, isUnsent } from "./failures.ts";
import { redactor } from "./redaction.ts";
import type { RelayKernel } from "./relay-transport.ts";
import { StderrTail } from "./stderr-tail.ts";

/** More than this is a mistake, or meant to do harm. */
const MAX_TOOLS = 1_000;

export interface ToolServerHost {
  /** A kernel of its own for a server in the sandbox. */
  openKernel(): Promise<RelayKernel>;
  /** The server has other tools than before. */
  onToolsChanged(): void;
}

/** A start of the server: under way or done. */
interface Run {
  readonly opening: Promise<Connection>;
  connection?: Connection;
}

/** An MCP server that is started when it is needed, kept, and started again when it has ended. */
export class ToolServer {
  readonly name: string;
  readonly #config: ResolvedConfig;
  readonly #host: ToolServerHost;
  readonly #redact: (text: string) => string;
  #run: Run | undefined;
  #closing = new AbortController();
  #tools: readonly ToolDefinition[] = [];
  #instructions: string | undefined;
  #stale = false;
  #refreshing = false;

  constructor(name: string, config: ResolvedConfig, host: ToolServerHost) {
    this.name = name;
    this.#config = config;
    this.#host = host;
    this.#redact = redactor(config.secrets);
  }

  /** Its tools, as far as they are known. */
  get tools(): readonly ToolDefinition[] {
    return this.#tools;
  }

  /** What it says of how to use it. */
  get instructions(): string | undefined {
    return this.#instructions;
  }

  /** A server with the same config and tools, which is started on its own. */
  sibling(host: ToolServerHost): ToolServer {
    const sibling = new ToolServer(this.name, this.#config, host);
    sibling.#tools = this.#tools;
    sibling.#instructions = this.#instructions;
    return sibling;
  }

  /**
   * Starts the server unless it runs, and learns its tools.
   *
   * @throws IpyboxError `mcp_server_failed`; the reason of `signal` once that aborts.
   */
  async start(signal?: AbortSignal): Promise<void> {
    await abortable(this.#connected(), signal);
  }

  /** What the tool is to be given: arguments that a cell gives, without those that only look given. */
  argumentsOf(tool: string, arguments_: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const definition = this.#tools.find(({ name }) => name === tool);
    if (definition === undefined) return arguments_;
    return withoutAbsent(definition.inputSchema, arguments_) as Readonly<Record<string, unknown>>;
  }

  /** Calls a tool, and says how that has ended. Rejects only with the signal's reason. */
  async call(tool: string, arguments_: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<ToolAnswer> {
    try {
      return await this.#call(tool, arguments_, signal);
    } catch (error) {
      signal.throwIfAborted();
      return { status: "server_failed", message: this.#sentence(error) };
    }
  }

  /** Ends the server, should it run. It is started again when it is needed. */
  async close(): Promise<void> {
    const run = this.#run;
    this.#run = undefined;
    this.#closing.abort(new Error("it was closed"));
    this.#closing = new AbortController();
    await run?.opening.then(
      (connection) => connection.close(),
      () => undefined,
    );
  }

  async #call(tool: string, arguments_: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<ToolAnswer> {
    for (let again = true; ; again = false) {
      const connection = await abortable(this.#connected(), signal);
      if (!this.#tools.some(({ name }) => name === tool)) throw new Error(`it has no tool ${JSON.stringify(tool)} any more`);
      try {
        return toAnswer(await connection.call(tool, arguments_, signal));
      } catch (error) {
        if (isAnswer(error)) return { status: "tool_failed", content: [{ type: "text", text: this.#redact(error.message) }] };
        if (!again || signal.aborted || !isUnsent(error)) throw error;
        await connection.close();
      }
    }
  }

  async #connected(): Promise<Connection> {
    await this.#run?.connection?.certain();
    this.#run ??= this.#open();
    return this.#run.opening;
  }

  #open(): Run {
    const stderr = new StderrTail();
    const { startTimeoutMs } = this.#config;
    const late = abortAfter(startTimeoutMs, () => new Error(`it does not answer within startTimeoutMs (${startTimeoutMs} ms)`));
    const signal = AbortSignal.any([late, this.#closing.signal]);
    const host = {
      openKernel: () => this.#host.openKernel(),
      onToolsChanged: () => void this.#refresh(run),
      onClosed: () => {
        if (run.connection !== undefined) this.#forget(run);
      },
    };
    const open = async (): Promise<Connection> => {
      try {
        const connection = await Connection.open(this.#config, host, stderr, signal);
        try {
          this.#learn(await connection.tools(signal), connection.instructions);
        } catch (error) {
          await connection.close();
          throw error;
        }
        run.connection = connection;
        return connection;
      } catch (error) {
        this.#forget(run);
        throw this.#startError(signal.aborted ? signal.reason : error, stderr);
      }
    };
    const run: Run = { opening: Promise.resolve().then(open) };
    return run;
  }

  #forget(run: Run): void {
    if (this.#run === run) this.#run = undefined;
  }

  #learn(tools: readonly ToolDefinition[], instructions: string | undefined): void {
    if (tools.length > MAX_TOOLS) throw new Error(`it lists ${tools.length} tools, more than ${MAX_TOOLS}`);
    const changed = JSON.stringify(tools) !== JSON.stringify(this.#tools);
    this.#tools = tools;
    this.#instructions = instructions;
    if (changed) this.#host.onToolsChanged();
  }

  /** The server has said that its tools have changed: lists them again. What fails leaves them as they were. */
  async #refresh({ connection }: Run): Promise<void> {
    this.#stale = true;
    if (connection === undefined || this.#refreshing) return;
    this.#refreshing = true;
    try {
      while (this.#stale) {
        this.#stale = false;
        const tools = await connection.tools(AbortSignal.timeout(this.#config.startTimeoutMs));
        this.#learn(tools, this.#instructions);
      }
    } catch {
      // The next start of the server lists them anew.
    } finally {
      this.#refreshing = false;
    }
  }

  #startError(error: unknown, stderr: StderrTail): IpyboxError {
    const reason = this.#redact(describeFailure(error));
    const tail = this.#redact(stderr.toString());
    return new IpyboxError(
      "mcp_server_failed",
      `The MCP server ${this.name} can't be used: ${reason}.${tail === "" ? "" : ` It has written:\n${tail}`}`,
      { details: { server: this.name, reason, ...(tail === "" ? {} : { stderr: tail }) } },
    );
  }

  /** What the sandbox is told: never what a server has written to its log. */
  #sentence(error: unknown): string {
    const reason = error instanceof IpyboxError ? String(error.details["reason"]) : this.#redact(describeFailure(error));
    return `The MCP server ${this.name} can't be used: ${reason}.`;
  }
}

/** The promise, or the signal's reason once that aborts. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  promise.catch(() => undefined);
  signal.throwIfAborted();
  const aborted = deferred<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
