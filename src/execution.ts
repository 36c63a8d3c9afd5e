import { CellClock } from "./cell-clock.ts";
import {
  type InputHandler,
  parseResultOptions,
  parseStreamOptions,
  type ResultOptions,
  type StreamOptions,
  type SubmitOptions,
} from "./client-options.ts";
import { ExecutionAbortedError, ExecutionTimeoutError, IpyboxError, KernelDiedError } from "./errors.ts";
import { EventFlow } from "./event-flow.ts";
import { deferred } from "./internal/deferred.ts";
import { keptEvents } from "./kept-events.ts";
import type { Decoded } from "./message-decoder.ts";
import { DEFAULTS } from "./options.ts";
import type { ExecutionEvent, InputRequestEvent } from "./protocol/events.ts";
import { endsExecution, type Frame } from "./protocol/frame.ts";
import type { Request } from "./protocol/requests.ts";
import type { ExecutionResult } from "./result.ts";
import { ResultBuilder } from "./result-builder.ts";
import { executionId, type Pending, requestsToEnd } from "./session.ts";
import { startFailure } from "./start-failure.ts";
import { TextFlow, textsOf } from "./text-flow.ts";

/** A cell that was interrupted has so long to end before the caller is answered all the same. */
const SETTLE_AFTER_MS = 4_500;

/** What an execution needs of its client. */
export interface ExecutionHost {
  /** Asks the agent for something. */
  send(request: Request): void;
  /** The execution wants more or less than before: output must flow or wait. */
  balance(): void;
  /** Somebody waits for this execution: those before it must not hold it up. */
  drainBefore(execution: Pending): void;
}

/** A cell that was submitted: its output as it is made, and its result. */
export class Execution implements Pending {
  /** Names the execution within its kernel. */
  readonly id: string;
  /** @internal */
  readonly number: number;
  readonly #host: ExecutionHost;
  readonly #onInput: InputHandler | undefined;
  readonly #builder: ResultBuilder;
  readonly #flow: EventFlow;
  readonly #clock: CellClock;
  readonly #outcome = deferred<ExecutionResult>();
  #requests: Request[];
  /** What it has asked before the connection was made, and may be answered: by number. */
  readonly #unanswered = new Map<number, InputRequestEvent>();
  #settled = false;
  #expired = false;
  #lastSequence = 0;

  /** @internal Made by `client.submit` and `client.executionById`. */
  constructor(request: Extract<Request, { execution: number }>, host: ExecutionHost, options: SubmitOptions) {
    this.number = request.execution;
    this.id = executionId(this.number);
    this.#requests = [request];
    this.#host = host;
    this.#onInput = options.onInput;
    this.#builder = new ResultBuilder(options.maxOutputBytes ?? DEFAULTS.maxOutputBytes);
    this.#flow = new EventFlow(() => host.balance());
    this.#clock = new CellClock(options.timeoutMs === undefined ? DEFAULTS.timeoutMs : options.timeoutMs, () => this.#expire());
    this.#follow(options.signal);
  }

  /** The sequence of the last event that has come; `client.executionById` can go on behind it. */
  get lastSequence(): number {
    return this.#lastSequence;
  }

  /**
   * The cell's text as it is made, stdout and stderr, values and displays; images have no part in it.
   * Leaving the loop early interrupts the cell, unless `onExit` is `"detach"`. At the end it throws
   * what `result()` throws.
   */
  async *stream(options: StreamOptions = {}): AsyncGenerator<string, void, undefined> {
    const flow = new TextFlow();
    for await (const event of this.events(options)) {
      for (const text of textsOf(event, flow)) {
        if (text !== "") yield text;
      }
    }
  }

  /**
   * Everything that happens in the execution, as a notebook would see it. Leaving the loop early
   * interrupts the cell, unless `onExit` is `"detach"`. At the end it throws what `result()` throws.
   */
  async *events(options: StreamOptions = {}): AsyncGenerator<ExecutionEvent, void, undefined> {
    this.#await(parseStreamOptions(options));
    if (this.#flow.reading) {
      throw new IpyboxError("invalid_state", `Execution ${this.id} is being read already: use one loop, or result().`);
    }
    if (this.#flow.missed) {
      yield* keptEvents(this.id, this.#outcome.promise, () => this.snapshot());
      return;
    }
    yield* this.#flow.read(() => {
      if (options.onExit !== "detach") this.#interrupt();
    });
  }

  /**
   * All that the cell has given, once it has ended; reads what no `stream()` reads.
   *
   * @throws ExecutionError when the cell raised an exception, ExecutionTimeoutError after `timeoutMs`,
   * KernelDiedError and ContainerDiedError when it could not end, the reason of `signal` once that aborts.
   */
  async result(options: ResultOptions = {}): Promise<ExecutionResult> {
    this.#await(parseResultOptions(options));
    this.#flow.drain();
    return this.#outcome.promise;
  }

  /** Raises KeyboardInterrupt in the cell; ends its kernel when it does not react within 3 s. */
  async interrupt(): Promise<void> {
    if (this.#settled) return;
    this.#interrupt();
    this.#flow.drain();
    await this.#outcome.promise.catch(() => undefined);
  }

  /** @internal Whether the kernel should wait until more has been read. */
  get full(): boolean {
    return this.#flow.full;
  }

  /** @internal */
  get settled(): boolean {
    return this.#settled;
  }

  /** @internal Resolves when the execution is settled, however. */
  get ended(): Promise<void> {
    return this.#outcome.promise.then(
      () => undefined,
      () => undefined,
    );
  }

  /** @internal */
  get requests(): readonly Request[] {
    return this.#requests;
  }

  /** @internal No reader will come for what arrives from now on: only the result keeps it. */
  drain(): void {
    this.#flow.drain();
  }

  /** @internal While output is held back for a reader, the cell's time does not count. */
  hold(held: boolean): void {
    this.#clock.set("held", held);
  }

  /** @internal Somebody is asked whether the cell may go on. */
  whileAsking<T>(wait: () => Promise<T>): Promise<T> {
    return this.#clock.during("asking", wait);
  }

  /** @internal Takes a frame of this execution; what it asks in one of the `past` may have an answer. */
  receive(frame: Frame, past = false): void {
    if (this.#settled) return;
    this.#lastSequence = frame.sequence;
    let complete: boolean;
    try {
      const decoded = this.#builder.decode(frame);
      complete = decoded !== undefined;
      if (decoded !== undefined) this.#take(decoded.message, decoded.bytes, past);
    } catch (cause) {
      this.fail(new IpyboxError("protocol_violation", "The kernel sent what is no message; reset it.", { cause }));
      return;
    }
    // The start of its last message may be gone: then the agent sends it again.
    if (complete && endsExecution(frame.flags)) this.#end();
  }

  /** @internal What is still open of all it has asked is asked now. */
  caughtUp(): void {
    const questions = [...this.#unanswered.values()];
    this.#unanswered.clear();
    for (const question of questions) void this.#answer(question);
  }

  /** @internal Output is gone for good before the next frame. */
  gap(bytes: number): void {
    for (const event of this.#builder.gap(bytes)) this.#publish(event, 0);
  }

  /** @internal Settles the execution with an error; what comes later is not for it. */
  fail(error: unknown): void {
    if (this.#settled) return;
    this.#outcome.reject(error);
    this.#settle({ reason: error });
  }

  /** @internal The result so far. */
  snapshot(): ExecutionResult {
    return this.#builder.snapshot();
  }

  #take(message: Decoded, bytes: number, past: boolean): void {
    switch (message.type) {
      case "execution_queued":
      case "execution_started":
        this.#clock.set("queued", message.type === "execution_queued");
        return;
      case "kernel_restarted":
        this.#builder.freshKernel = true;
        return;
      case "input_answered":
        this.#unanswered.delete(message.number);
        return;
      case "execution_aborted":
        this.fail(this.#expired ? this.#timeoutError(false) : new ExecutionAbortedError(this.id, message.reason));
        return;
      case "kernel_start_failed":
        this.fail(startFailure(message.message, message.bound));
        return;
      case "kernel_died":
        this.fail(this.#expired ? this.#timeoutError(true) : new KernelDiedError(message, this.snapshot()));
        return;
      case "execution_lost":
        this.fail(
          new IpyboxError(
            "output_lost",
            `Execution ${this.id} has ended while the connection was down, and how it ended is not known any more.`,
            { details: { executionId: this.id } },
          ),
        );
        return;
      case "stream":
      case "display_data":
      case "update_display_data":
      case "execute_result":
      case "clear_output":
      case "error":
      case "execute_reply":
        this.#publish(message, bytes);
        return;
      case "input_request":
        this.#publish(message, bytes);
        if (past) this.#unanswered.set(message.number, message);
        else void this.#answer(message);
        return;
      default:
        throw new TypeError(`a cell gives no ${message.type}`);
    }
  }

  #publish(event: ExecutionEvent, bytes: number): void {
    this.#builder.add(event, bytes);
    this.#flow.push(event, bytes);
  }

  /** Has the caller answer `input()`. Who has no handler leaves it to another client. */
  async #answer({ prompt, password, number }: InputRequestEvent): Promise<void> {
    const ask = this.#onInput;
    if (ask === undefined || this.#settled) return;
    const reply = await this.#clock
      .during("asking", async () => ask(prompt, { password }))
      .then(
        (value) => (typeof value === "string" ? { value } : { error: `onInput gave ${typeof value}, not a string` }),
        (error: unknown) => ({ error: `onInput failed: ${error instanceof Error ? error.message : String(error)}` }),
      );
    this.#send({ type: "input_reply", execution: this.number, number, ...reply });
  }

  /** Settles the execution while its cell may still run, which is to be ended. */
  #abandon(error: unknown): void {
    if (this.#settled) return;
    this.#interrupt();
    this.fail(error);
    this.#requests = requestsToEnd(this.number);
  }

  #interrupt(): void {
    this.#send({ type: "interrupt_request", execution: this.number });
  }

  /** Asks for something now, and again whenever the connection has dropped, until the cell has ended. */
  #send(request: Request): void {
    if (this.#settled) return;
    this.#requests.push(request);
    this.#host.send(request);
  }

  #end(): void {
    if (this.#settled) return;
    for (const event of this.#builder.rest()) this.#publish(event, 0);
    const error = this.#expired ? this.#timeoutError(false) : this.#builder.exception();
    if (error !== undefined) {
      this.fail(error);
    } else {
      this.#outcome.resolve(this.snapshot());
      this.#settle();
    }
  }

  #settle(failure?: { readonly reason: unknown }): void {
    this.#settled = true;
    this.#clock.stop();
    this.#requests = [];
    this.#flow.close(failure);
    this.#host.balance();
  }

  #expire(): void {
    if (this.#settled) return;
    this.#expired = true;
    this.#interrupt();
    setTimeout(() => this.#abandon(this.#timeoutError(true)), SETTLE_AFTER_MS).unref();
  }

  #timeoutError(stateLost: boolean): ExecutionTimeoutError {
    return new ExecutionTimeoutError(this.#clock.limitMs ?? 0, this.snapshot(), stateLost, { executionId: this.id });
  }

  #await(options: ResultOptions): void {
    if (options.timeoutMs !== undefined) this.#clock.restart(options.timeoutMs);
    this.#follow(options.signal);
    this.#host.drainBefore(this);
  }

  #follow(signal: AbortSignal | undefined): void {
    if (signal === undefined || this.#settled) return;
    const abort = (): void => this.#abandon(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    this.#outcome.promise.catch(() => undefined).finally(() => signal.removeEventListener("abort", abort));
  }
}
