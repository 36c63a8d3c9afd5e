import { randomInt, randomUUID } from "node:crypto";
import { ContainerDiedError, IpyboxError } from "./errors.ts";
import { Execution, type ExecutionHost } from "./execution.ts";
import { Link } from "./link.ts";
import { DEFAULTS, type ExecutionClientOptions, parseClientOptions, parseSubmitOptions, type SubmitOptions } from "./options.ts";
import type { Frame } from "./protocol/frame.ts";
import type { ExecuteRequest } from "./protocol/requests.ts";
import type { ExecutionResult } from "./result.ts";
import { readRuntimeEntry } from "./runtime-dir.ts";

type State =
  | { readonly kind: "new" }
  | { readonly kind: "connected"; readonly link: Link; readonly kernelId: string }
  | { readonly kind: "disconnected" }
  | { readonly kind: "lost"; readonly error: IpyboxError };

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
  #state: State = { kind: "new" };
  #connecting: Promise<void> | undefined;
  #paused = false;
  /** Executions that are not settled, in the order of their submission. */
  readonly #executions = new Map<number, { readonly execution: Execution; readonly request: ExecuteRequest }>();
  #nextExecution: number = randomInt(1, 2 ** 31);

  /**
   * Only checks the options; `connect()` connects.
   *
   * @throws IpyboxError `invalid_option`, naming the option.
   */
  constructor(options: ExecutionClientOptions) {
    this.#options = parseClientOptions(options);
  }

  /** Creates a kernel and connects to it. Leaving its `await using` block removes it. */
  static async connect(options: ExecutionClientOptions): Promise<ExecutionClient> {
    const client = new ExecutionClient(options);
    await client.connect();
    return client;
  }

  /** Id of the kernel. Throws `invalid_state` before `connect()` and after `disconnect()`. */
  get kernelId(): string {
    return this.#connected("kernelId").kernelId;
  }

  /**
   * Creates a kernel and connects to it; does nothing when that is done already.
   *
   * @throws IpyboxError `connect_failed`, `unauthorized`, `kernel_start_failed`; the reason of `signal` once that aborts.
   */
  async connect(): Promise<void> {
    if (this.#state.kind === "connected") return;
    if (this.#state.kind !== "new") throw this.#unusable("connect");
    this.#connecting ??= this.#open().finally(() => {
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
    const { link } = this.#connected("submit");
    if (typeof code !== "string") {
      const given = code === null ? "null" : typeof code;
      throw new IpyboxError("invalid_option", `submit: code must be a string. Given was ${given}.`, { details: { given } });
    }
    const parsed = parseSubmitOptions(options);
    parsed.signal?.throwIfAborted();
    const number = this.#number();
    const request: ExecuteRequest = {
      type: "execute_request",
      execution: number,
      code,
      ...(parsed.stopOnError === true ? { stopOnError: true } : {}),
    };
    const execution = new Execution(number, this.#host, parsed);
    this.#executions.set(number, { execution, request });
    link.send(request);
    return execution;
  }

  /** Removes the kernel. Executions that are not done reject with `disconnected`. */
  async disconnect(): Promise<void> {
    await this.#connecting?.catch(() => undefined);
    const state = this.#state;
    if (state.kind === "lost") return;
    this.#state = { kind: "disconnected" };
    if (state.kind !== "connected") return;
    this.#failAll(() => new IpyboxError("disconnected", "The client was disconnected before the execution was done."));
    await state.link.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
  }

  readonly #host: ExecutionHost = {
    interrupt: ({ number }) => {
      if (this.#state.kind === "connected") this.#state.link.send({ type: "interrupt_request", execution: number });
    },
    balance: () => this.#balance(),
    awaited: (execution) => {
      for (const { execution: earlier } of this.#executions.values()) {
        if (earlier === execution) break;
        earlier.drain();
      }
    },
  };

  async #open(): Promise<void> {
    const { host = DEFAULTS.host, port, connectTimeoutMs = DEFAULTS.connectTimeoutMs, signal } = this.#options;
    const token = this.#options.token ?? (await readRuntimeEntry(host, port))?.token;
    if (token === undefined) {
      throw new IpyboxError(
        "unauthorized",
        `No token is known for ${host}:${port}: no container of this user has that port. Pass token: container.token.`,
        { details: { host, port } },
      );
    }
    const kernelId = randomUUID();
    const link = await Link.open(
      { host, port, token, kernelId },
      {
        onFrame: (frame) => this.#receive(frame),
        onReconnected: (lost) => this.#resubmit(lost),
        onLost: (error) => this.#lose(error),
      },
      connectTimeoutMs,
      signal,
    );
    this.#state = { kind: "connected", link, kernelId };
  }

  #receive(frame: Frame): void {
    const entry = this.#executions.get(frame.execution);
    if (entry === undefined) return;
    entry.execution.receive(frame);
    if (entry.execution.settled) this.#executions.delete(frame.execution);
  }

  /** What the agent may not have got is sent again; it knows what it has seen. */
  #resubmit(lost: boolean): void {
    if (this.#state.kind !== "connected") return;
    for (const { execution, request } of this.#executions.values()) {
      if (lost) execution.lost(0);
      this.#state.link.send(request);
    }
  }

  #lose(error: IpyboxError): void {
    this.#state = { kind: "lost", error };
    const died = error.code === "container_died";
    this.#failAll((execution) =>
      died ? new ContainerDiedError(error.message, execution.snapshot(), { cause: error.cause }) : error,
    );
  }

  #failAll(reason: (execution: Execution) => IpyboxError): void {
    for (const { execution } of this.#executions.values()) execution.fail(reason(execution));
    this.#executions.clear();
  }

  /** A reader that is behind makes the kernel wait; its cell's time does not count meanwhile. */
  #balance(): void {
    if (this.#state.kind !== "connected") return;
    const paused = [...this.#executions.values()].some(({ execution }) => execution.full);
    if (paused === this.#paused) return;
    this.#paused = paused;
    this.#state.link.pause(paused);
    for (const { execution } of this.#executions.values()) execution.hold(paused);
  }

  #number(): number {
    this.#nextExecution = (this.#nextExecution % 0xffff_ffff) + 1;
    return this.#nextExecution;
  }

  #connected(action: string): Extract<State, { kind: "connected" }> {
    if (this.#state.kind === "connected") return this.#state;
    throw this.#unusable(action);
  }

  #unusable(action: string): IpyboxError {
    switch (this.#state.kind) {
      case "lost":
        return this.#state.error.code === "container_died"
          ? new ContainerDiedError(this.#state.error.message, undefined, { cause: this.#state.error })
          : this.#state.error;
      case "disconnected":
        return new IpyboxError(
          "invalid_state",
          `${action}: the client was disconnected. Make a new one with ExecutionClient.connect().`,
        );
      default:
        return new IpyboxError("invalid_state", `${action}: the client is not connected. Call connect() first.`);
    }
  }
}
