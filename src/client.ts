import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import {
  assertCursor,
  assertModuleNames,
  assertName,
  assertSequence,
  assertString,
  executionNumber,
} from "./client-arguments.ts";
import { ClientConnection } from "./client-connection.ts";
import {
  type AttachOptions,
  type ExecutionClientOptions,
  type ForkOptions,
  parseAttachOptions,
  parseClientOptions,
  parseForkOptions,
  parseQuestionOptions,
  parseSubmitOptions,
  parseVariableOptions,
  type QuestionOptions,
  type SubmitOptions,
  type VariableOptions,
} from "./client-options.ts";
import { Execution } from "./execution.ts";
import type { Files } from "./files/files.ts";
import { forkKernel } from "./forks.ts";
import type { HostFunction } from "./host/host-function.ts";
import { HostSide } from "./host-side.ts";
import {
  type Completeness,
  type Completion,
  completeQuestion,
  expectReply,
  type Inspection,
  inspectQuestion,
  readCompleteness,
  readCompletion,
  readInspection,
} from "./introspection.ts";
import { type LateOutput, LateOutputs } from "./late-output.ts";
import type { LinkOptions } from "./link.ts";
import type { McpServerConfig } from "./mcp/config.ts";
import type { McpServer } from "./mcp/mcp-server.ts";
import { DEFAULTS } from "./options.ts";
import type { Variable } from "./protocol/answers.ts";
import type { ExecuteRequest, Question as QuestionContent } from "./protocol/requests.ts";
import { Question, type Reply } from "./question.ts";
import { replayExecution } from "./replay.ts";
import type { ExecutionResult } from "./result.ts";
import type { Session } from "./session.ts";
import { decodeValue, encodeValue, type Settable, type SettableValue, type Value } from "./variables.ts";

/** What a client tells by itself. */
export interface ClientEvents {
  /** Output came after its cell had ended. */
  lateOutput: [output: LateOutput];
  /** An MCP server has other tools than before; cells from now on have the new ones. */
  mcpToolsChanged: [server: McpServer];
}

/**
 * A kernel in a container, and the way to run code in it. Variables live as long as the client is connected.
 *
 * ```ts
 * await using client = await ExecutionClient.connect({ port: container.port });
 * const { text } = await client.execute("1 + 1");
 * ```
 */
export class ExecutionClient {
  readonly #options: ExecutionClientOptions;
  readonly #emitter = new EventEmitter<ClientEvents>();
  readonly #late = new LateOutputs();
  readonly #connection: ClientConnection;
  readonly #host: HostSide;
  /** Connections of their own, for executions that are replayed. */
  readonly #replays = new AbortController();
  #connecting: Promise<void> | undefined;

  /**
   * Only checks the options; `connect()` connects.
   *
   * @throws IpyboxError `invalid_option`, naming the option.
   */
  constructor(options: ExecutionClientOptions);
  /** @internal */
  constructor(options: ExecutionClientOptions, inherited?: HostSide);
  constructor(options: ExecutionClientOptions, inherited?: HostSide) {
    this.#options = parseClientOptions(options);
    this.#host = new HostSide(
      this.#options,
      {
        session: (action) => this.#connection.require(action).session,
        openKernel: () => this.#sibling(),
        onToolsChanged: (server) => this.#tell("mcpToolsChanged", server),
      },
      inherited,
    );
    const { calls } = this.#host;
    this.#connection = new ClientConnection(this.#options, {
      onOther: (frame) => {
        const output = this.#late.read(frame);
        if (output !== undefined) this.#tell("lateOutput", output);
      },
      onCall: (frame) => calls.receive(frame),
      onReconnected: () => calls.reconnected(),
      onDied: () => calls.end(),
      onGap: () => {
        this.#late.gap();
        calls.gap();
      },
      onLost: () => {
        calls.end();
        void this.#host.closeServers();
      },
    });
  }

  /** Creates a kernel and connects to it. Leaving its `await using` block removes it. See `connect()` for what is thrown. */
  static async connect(options: ExecutionClientOptions): Promise<ExecutionClient> {
    const client = new ExecutionClient(options);
    await client.connect();
    return client;
  }

  /**
   * Connects to a kernel that another client has created, perhaps in another process. Its `disconnect()` leaves the kernel running.
   *
   * @throws IpyboxError `kernel_not_found`, and what `connect()` throws.
   */
  static async attach(options: AttachOptions): Promise<ExecutionClient> {
    const { kernelId, ...rest } = parseAttachOptions(options);
    const client = new ExecutionClient(rest);
    await client.#open(kernelId, undefined, false);
    return client;
  }

  /** Id of the kernel. Throws `invalid_state` before `connect()` and after `disconnect()`. */
  get kernelId(): string {
    return this.#connection.require("kernelId").session.kernelId;
  }

  /** The files of the container. Throws `invalid_state` before `connect()` and after `disconnect()`. */
  get files(): Files {
    return this.#connection.require("files").files;
  }

  /**
   * Creates a kernel and connects to it; does nothing when that is done already.
   *
   * @throws IpyboxError `connect_failed`, `unauthorized`, `kernel_start_failed`; the reason of `signal` once that aborts.
   */
  async connect(): Promise<void> {
    if (!this.#connection.mayOpen("connect")) return;
    const { gracePeriodMs = DEFAULTS.gracePeriodMs, idleTimeoutMs = null } = this.#options;
    this.#connecting ??= this.#open(randomUUID(), { gracePeriodMs, idleTimeoutMs }, true).finally(() => {
      this.#connecting = undefined;
    });
    await this.#connecting;
  }

  /** Runs a cell and gives all that it has given, see `Execution.result` for what it throws. */
  async execute(code: string, options: SubmitOptions = {}): Promise<ExecutionResult> {
    return this.submit(code, options).result();
  }

  /**
   * Hands a cell to the kernel, which runs it after those submitted before.
   *
   * @throws IpyboxError `invalid_state` when not connected, `invalid_option`; ContainerDiedError.
   */
  submit(code: string, options: SubmitOptions = {}): Execution {
    const { session } = this.#connection.require("submit");
    assertString(code, "submit: code");
    const parsed = parseSubmitOptions(options);
    parsed.signal?.throwIfAborted();
    const onInput = parsed.onInput ?? this.#options.onInput;
    const request: ExecuteRequest = {
      type: "execute_request",
      execution: session.number(),
      code,
      ...(parsed.stopOnError === true ? { stopOnError: true } : {}),
      ...(onInput === undefined ? {} : { allowStdin: true }),
      ...(parsed.storeHistory === false ? { storeHistory: false } : {}),
      ...(parsed.tables === undefined ? {} : { tables: parsed.tables }),
    };
    const execution = new Execution(request, session, { ...parsed, onInput });
    session.submit(execution);
    return execution;
  }

  /**
   * An execution of this kernel, whoever has submitted it: all of its output that is still kept (16 MiB and 10 minutes at least),
   * or what has a sequence from `fromSequence` on, and then what follows. `result.lostBytes` tells how much is gone;
   * when what has `fromSequence` is gone itself, all that came before it is counted, too.
   * An unknown id rejects with `execution_not_found`; what is no id at all throws `invalid_option`.
   */
  executionById(id: string, options: { readonly fromSequence?: number | undefined } = {}): Execution {
    const { session, target } = this.#connection.require("executionById");
    const number = executionNumber(id, "executionById");
    const { fromSequence = 1 } = options;
    assertSequence(fromSequence, "executionById");
    const { connectTimeoutMs = DEFAULTS.connectTimeoutMs, onInput } = this.#options;
    const replayTarget = { ...target, kernelId: session.kernelId };
    return replayExecution(replayTarget, number, { fromSequence, connectTimeoutMs, onInput, signal: this.#replays.signal });
  }

  /**
   * Forks the kernel after what was submitted before: the new kernel has all state of this one, and from then on they differ.
   * Threads and pending asyncio tasks stay with this one. The client of the fork has the options of this one.
   *
   * @throws IpyboxError `kernel_start_failed`, and what `execute` throws.
   */
  fork(options?: ForkOptions & { readonly count?: undefined }): Promise<ExecutionClient>;
  /** Forks the kernel `count` times. */
  fork(options: ForkOptions & { readonly count: number }): Promise<ExecutionClient[]>;
  async fork(options: ForkOptions = {}): Promise<ExecutionClient | ExecutionClient[]> {
    const { count, ...rest } = parseForkOptions(options);
    const { session } = this.#connection.require("fork");
    const { connectTimeoutMs = DEFAULTS.connectTimeoutMs } = this.#options;
    const isConnected = (): boolean => this.#connection.current !== undefined;
    const join = (kernelId: string, signal: AbortSignal): Promise<ExecutionClient> => this.#joinFork(kernelId, signal);
    const clients = await forkKernel({ session, isConnected, connectTimeoutMs, join }, count ?? 1, rest);
    return count === undefined ? (clients[0] as ExecutionClient) : clients;
  }

  /** Ends what runs, aborts what waits, and gives the kernel a fresh process in the same container. */
  async reset(options: QuestionOptions = {}): Promise<void> {
    const { session } = this.#connection.require("reset");
    void this.#host.closeServers();
    await Question.ask(session, { type: "reset_request", execution: session.number() }, parseQuestionOptions(options, "reset"));
  }

  /**
   * The value of a variable. A table comes as an array of rows, or with `as: "arrow"` as an Arrow IPC stream.
   *
   * @throws ExecutionError `NameError` when there is none, `TypeError` when it has no counterpart.
   */
  async get(name: string, options: VariableOptions = {}): Promise<Value> {
    const { as, ...rest } = parseVariableOptions(options, "get");
    assertName(name, "get");
    const reply = await this.#ask({ type: "get_request", name, ...(as === undefined ? {} : { as }) }, rest);
    return decodeValue(expectReply(reply, "get_reply").value);
  }

  /** Binds a name to a value: typed arrays become NumPy's where that is installed, with `as` tables become DataFrames. */
  async set<T>(name: string, value: SettableValue | (T & Settable<T>), options: VariableOptions = {}): Promise<void> {
    const { as, ...rest } = parseVariableOptions(options, "set");
    assertName(name, "set");
    const encoded = encodeValue(value);
    await this.#ask({ type: "set_request", name, ...encoded, ...(as === undefined ? {} : { as }) }, rest);
  }

  /** The names that cells have bound, in alphabetical order, with type and size. */
  async variables(options: QuestionOptions = {}): Promise<readonly Variable[]> {
    const reply = await this.#ask({ type: "variables_request" }, parseQuestionOptions(options, "variables"));
    return expectReply(reply, "variables_reply").variables;
  }

  /**
   * The Python source of modules by their names, for instance `["einops"]`; of a package, that of its `__init__`. A module that has
   * none, since it is compiled or a namespace, has an empty one. The modules themselves are not run.
   *
   * @throws ExecutionError `ModuleNotFoundError` when there is none of that name.
   */
  async getModuleSources(names: readonly string[], options: QuestionOptions = {}): Promise<Readonly<Record<string, string>>> {
    const parsed = parseQuestionOptions(options, "getModuleSources");
    assertModuleNames(names, "getModuleSources");
    return expectReply(await this.#ask({ type: "sources_request", names }, parsed), "sources_reply").sources;
  }

  /** What could stand at the cursor, an index in `code`; by default its end. */
  async complete(code: string, cursor: number = code.length, options: QuestionOptions = {}): Promise<Completion> {
    assertString(code, "complete: code");
    assertCursor(cursor, code, "complete");
    const reply = await this.#ask(completeQuestion(code, cursor), parseQuestionOptions(options, "complete"));
    return readCompletion(code, expectReply(reply, "complete_reply"));
  }

  /** Documentation of the name at the cursor, an index in `code`; with `level` 1 its source, too. */
  async inspect(
    code: string,
    cursor: number = code.length,
    options: QuestionOptions & { readonly level?: 0 | 1 | undefined } = {},
  ): Promise<Inspection> {
    const { level = 0, ...rest } = options;
    assertString(code, "inspect: code");
    assertCursor(cursor, code, "inspect");
    const reply = await this.#ask(inspectQuestion(code, cursor, level), parseQuestionOptions(rest, "inspect"));
    return readInspection(expectReply(reply, "inspect_reply"));
  }

  /** Whether `code` could be run as it is, or goes on. */
  async isComplete(code: string, options: QuestionOptions = {}): Promise<Completeness> {
    assertString(code, "isComplete: code");
    const reply = await this.#ask({ type: "is_complete_request", code }, parseQuestionOptions(options, "isComplete"));
    return readCompleteness(expectReply(reply, "is_complete_reply"));
  }

  /**
   * Lets cells call functions of this program: `from host import search`, or `from host.aio import search` to await it.
   * A name that is exposed already gets the new function. Cells submitted from now on have them, also after a reset or the
   * kernel's death; so have forks.
   *
   * ```ts
   * await client.expose({
   *   search: {
   *     description: "Finds documents.",
   *     input: z.object({ query: z.string(), limit: z.int().default(10) }),
   *     handler: ({ query, limit }) => index.search(query, limit),
   *   },
   * });
   * ```
   *
   * @throws IpyboxError `invalid_option`, naming the function and field; what `execute` throws.
   */
  async expose<Inputs>(
    functions: { readonly [Name in keyof Inputs]: HostFunction<Inputs[Name]> },
    options: QuestionOptions = {},
  ): Promise<void> {
    const parsed = parseQuestionOptions(options, "expose");
    await this.#host.expose(functions as Readonly<Record<string, HostFunction>>, parsed);
  }

  /**
   * Gives cells the tools of an MCP server, as a Python package: `from mcp_tools.NAME import TOOL`, then
   * `TOOL.run(TOOL.Params(…))`. The server is started now, kept, and ended by `reset()`, `removeMcpServer()` and `disconnect()`;
   * when a tool is called after that, or after it has ended by itself, it is started again. A fork has a server of its own.
   *
   * @throws IpyboxError `mcp_server_failed`, with what the server has written to its log; `invalid_option`, naming the field or the
   * environment variable that is missing; what `execute` throws.
   */
  async addMcpServer(name: string, config: McpServerConfig, options: QuestionOptions = {}): Promise<McpServer> {
    return this.#host.addMcpServer(name, config, parseQuestionOptions(options, "addMcpServer"));
  }

  /** Ends an MCP server, and takes its package from the cells. False when there is none of that name. */
  async removeMcpServer(name: string, options: QuestionOptions = {}): Promise<boolean> {
    return this.#host.removeMcpServer(name, parseQuestionOptions(options, "removeMcpServer"));
  }

  /** The MCP servers that were added, in that order. */
  get mcpServers(): readonly McpServer[] {
    return this.#host.mcpServers;
  }

  /** Calls `listener` at each event of that name. What it throws is an uncaught exception. */
  on<Name extends keyof ClientEvents>(name: Name, listener: (...values: ClientEvents[Name]) => void): this {
    this.#emitter.on(name, listener as never);
    return this;
  }

  /** Calls it no more. */
  off<Name extends keyof ClientEvents>(name: Name, listener: (...values: ClientEvents[Name]) => void): this {
    this.#emitter.off(name, listener as never);
    return this;
  }

  /**
   * Ends the connection, and removes the kernel, unless this client has only been attached to it. Executions that are not
   * done reject with `disconnected`.
   */
  async disconnect(): Promise<void> {
    await this.#connecting?.catch(() => undefined);
    const left = this.#connection.leave();
    if (left === undefined) return;
    this.#replays.abort();
    this.#host.calls.end();
    await Promise.all([this.#host.closeServers(), left.session.close(this.#connection.ownsKernel)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
  }

  /** Not from where frames are read: what a listener throws must not end the connection. */
  #tell<Name extends keyof ClientEvents>(name: Name, ...values: ClientEvents[Name]): void {
    queueMicrotask(() => this.#emitter.emit(name, ...(values as never)));
  }

  async #open(kernelId: string, create: LinkOptions["create"], ownsKernel: boolean): Promise<void> {
    const { session } = await this.#connection.open(kernelId, create, ownsKernel);
    this.#host.calls.connect(session);
    if (this.#host.empty) return;
    const published = this.#publishFirst(session);
    // A kernel that was running before may be busy for long: what is submitted from now on comes after it all the same.
    if (ownsKernel) await published;
    else published.catch(() => undefined);
  }

  /** Tells the kernel before the first cell. A client that can't is of no use: its cells would not be guarded. */
  async #publishFirst(session: Session): Promise<void> {
    const { connectTimeoutMs = DEFAULTS.connectTimeoutMs, signal } = this.#options;
    try {
      await this.#host.publish({ timeoutMs: connectTimeoutMs, signal });
    } catch (error) {
      await this.#connection.abandon(session, error);
      throw error;
    }
  }

  async #joinFork(kernelId: string, signal: AbortSignal): Promise<ExecutionClient> {
    const client = new ExecutionClient({ ...this.#options, signal }, this.#host);
    await client.#open(kernelId, undefined, true);
    return client;
  }

  /** A client with a kernel of its own in the same container. */
  #sibling(): Promise<ExecutionClient> {
    const { host, port, token } = this.#connection.require("addMcpServer").target;
    const { connectTimeoutMs } = this.#options;
    return ExecutionClient.connect({ host, port, token, connectTimeoutMs });
  }

  async #ask(content: QuestionContent, options: QuestionOptions): Promise<Reply> {
    const { session } = this.#connection.require(content.type.replace("_request", ""));
    return Question.ask(session, { ...content, execution: session.number() }, options);
  }
}
