import { ExecutionAbortedError, ExecutionError, ExecutionTimeoutError, IpyboxError, KernelDiedError } from "./errors.ts";
import {
  parseResultOptions,
  parseStreamOptions,
  type InputHandler,
  type ResultOptions,
  type StreamOptions,
  type SubmitOptions,
} from "./client-options.ts";
import { deferred } from "./internal/deferred.ts";
import { EventQueue } from "./internal/event-queue.ts";
import { Stopwatch } from "./internal/stopwatch.ts";
import { type Decoded, MessageDecoder } from "./message-decoder.ts";
import { DEFAULTS } from "./options.ts";
import { OutputCollector } from "./outputs.ts";
import type { ExecutionEvent, InputRequestEvent } from "./protocol/events.ts";
import { endsExecution, type Frame, FrameFlag, FrameKind } from "./protocol/frame.ts";
import type { Request } from "./protocol/requests.ts";
import { ExecutionResult } from "./result.ts";
import { executionId, type Pending, requestsToEnd } from "./session.ts";
import { TextFlow, textsOf } from "./text-flow.ts";

/** So much may wait for a reader before the cell has to wait. */
const HIGH_WATER_BYTES = 1024 * 1024;

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
  readonly #decoder = new MessageDecoder();
  readonly #collector: OutputCollector;
  readonly #queue = new EventQueue<ExecutionEvent>();
  readonly #outcome = deferred<ExecutionResult>();
  readonly #watch: Stopwatch;
  #requests: Request[];
  #reader: "none" | "reading" | "done" = "none";
  #draining = false;
  #settled = false;
  #waiting = false;
  #held = false;
  #asking = false;
  #timeoutMs: number | null;
  #expired = false;
  #error: Extract<ExecutionEvent, { type: "error" }> | undefined;
  #executionCount: number | null = null;
  #freshKernel = false;
  /** Bytes of output that have come or are known to be gone. */
  #receivedBytes = 0;
  #lostBytes = 0;
  #lastSequence = 0;

  /** @internal Made by `client.submit` and `client.executionById`. */
  constructor(request: Extract<Request, { execution: number }>, host: ExecutionHost, options: SubmitOptions) {
    this.number = request.execution;
    this.id = executionId(this.number);
    this.#requests = [request];
    this.#host = host;
    this.#onInput = options.onInput;
    this.#collector = new OutputCollector(options.maxOutputBytes ?? DEFAULTS.maxOutputBytes);
    this.#timeoutMs = options.timeoutMs === undefined ? DEFAULTS.timeoutMs : options.timeoutMs;
    this.#watch = new Stopwatch(this.#timeoutMs, () => this.#expire());
    this.#watch.run();
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
    if (this.#reader === "reading") {
      throw new IpyboxError("invalid_state", `Execution ${this.id} is being read already: use one loop, or result().`);
    }
    if (this.#reader === "done" || this.#draining) {
      yield* this.#replay();
      return;
    }
    this.#reader = "reading";
    let left = true;
    try {
      for (;;) {
        const next = await this.#queue.take();
        this.#host.balance();
        if (next === undefined) break;
        yield next.value;
      }
      left = false;
    } catch (error) {
      left = false;
      throw error;
    } finally {
      this.#reader = "done";
      this.drain();
      if (left && options.onExit !== "detach") this.#interrupt();
    }
  }

  /**
   * All that the cell has given, once it has ended; reads what no `stream()` reads.
   *
   * @throws ExecutionError when the cell raised an exception, ExecutionTimeoutError after `timeoutMs`,
   * KernelDiedError and ContainerDiedError when it could not end, the reason of `signal` once that aborts.
   */
  async result(options: ResultOptions = {}): Promise<ExecutionResult> {
    this.#await(parseResultOptions(options));
    if (this.#reader !== "reading") this.drain();
    return this.#outcome.promise;
  }

  /** Raises KeyboardInterrupt in the cell; ends its kernel when it does not react within 3 s. */
  async interrupt(): Promise<void> {
    if (this.#settled) return;
    this.#interrupt();
    if (this.#reader !== "reading") this.drain();
    await this.#outcome.promise.catch(() => undefined);
  }

  /** @internal Whether the kernel should wait until more has been read. */
  get full(): boolean {
    return !this.#draining && !this.#settled && this.#queue.bytes > HIGH_WATER_BYTES;
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
    if (this.#draining || this.#reader === "reading") return;
    this.#draining = true;
    this.#queue.clear();
    this.#host.balance();
  }

  /** @internal While output is held back for a reader, the cell's time does not count. */
  hold(held: boolean): void {
    this.#held = held;
    this.#clock();
  }

  /** @internal Takes a frame of this execution. */
  receive(frame: Frame): void {
    if (this.#settled) return;
    this.#lastSequence = frame.sequence;
    const isOutput = frame.kind !== FrameKind.lifecycle && (frame.flags & FrameFlag.last) === 0;
    if (isOutput) this.#receivedBytes += frame.payload.length;
    const bytes = frame.payload.length + (frame.kind === FrameKind.message ? this.#decoder.unfinishedBytes : 0);
    let message: Decoded | undefined;
    try {
      message = this.#decoder.decode(frame);
      if (message !== undefined) this.#take(message, bytes);
    } catch (cause) {
      this.fail(new IpyboxError("protocol_violation", "The kernel sent what is no message; reset it.", { cause }));
      return;
    }
    // The start of its last message may be gone: then the agent sends it again.
    if (message !== undefined && endsExecution(frame.flags)) this.#end();
  }

  /** @internal Output is gone for good before the next frame. */
  gap(bytes: number): void {
    const missed = bytes - this.#receivedBytes;
    if (missed <= 0) return;
    for (const event of this.#decoder.end()) this.#publish(event, 0);
    this.#decoder.gap();
    this.#lostBytes += missed;
    this.#receivedBytes = bytes;
  }

  /** @internal Settles the execution with an error; what comes later is not for it. */
  fail(error: unknown): void {
    if (this.#settled) return;
    this.#settle();
    this.#queue.close({ reason: error });
    this.#outcome.reject(error);
  }

  /** @internal The result so far. */
  snapshot(): ExecutionResult {
    return new ExecutionResult(this.#collector, {
      executionCount: this.#executionCount,
      freshKernel: this.#freshKernel,
      lostBytes: this.#lostBytes + this.#decoder.lostBytes,
    });
  }

  #take(message: Decoded, bytes: number): void {
    switch (message.type) {
      case "execution_queued":
        this.#waiting = true;
        this.#clock();
        return;
      case "execution_started":
        this.#waiting = false;
        this.#clock();
        return;
      case "kernel_restarted":
        this.#freshKernel = true;
        return;
      case "execution_aborted":
        this.fail(new ExecutionAbortedError(this.id, message.reason));
        return;
      case "kernel_start_failed":
        this.fail(new IpyboxError("kernel_start_failed", `No kernel could be started: ${message.message}.`));
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
      case "input_request":
      case "error":
      case "execute_reply":
        this.#publish(message, bytes);
        return;
      default:
        throw new TypeError(`a cell gives no ${message.type}`);
    }
  }

  #publish(event: ExecutionEvent, bytes: number): void {
    if (event.type === "error") this.#error = event;
    if (event.type === "execute_reply") this.#reply(event);
    if (event.type === "input_request") void this.#answer(event);
    this.#collector.add(event, bytes);
    if (this.#draining) return;
    this.#queue.push(event, bytes);
    if (this.full) this.#host.balance();
  }

  #reply(reply: Extract<ExecutionEvent, { type: "execute_reply" }>): void {
    this.#executionCount = reply.execution_count;
    // An error may be shown by code that goes on: it does not fail the cell.
    if (reply.status === "ok") this.#error = undefined;
    // The error itself may have been lost with the connection.
    const { ename, evalue, traceback, frames } = reply;
    if (reply.status === "error" && ename !== undefined) {
      this.#error ??= { type: "error", ename, evalue: evalue ?? "", traceback: traceback ?? [], frames: frames ?? [] };
    }
  }

  /** Has the caller answer `input()`. Who has no handler leaves it to another client. */
  async #answer({ prompt, password, number }: InputRequestEvent): Promise<void> {
    if (this.#onInput === undefined) return;
    this.#asking = true;
    this.#clock();
    const reply = await Promise.resolve()
      .then(() => this.#onInput?.(prompt, { password }))
      .then(
        (value) => (typeof value === "string" ? { value } : { error: `onInput gave ${typeof value}, not a string` }),
        (error: unknown) => ({ error: `onInput failed: ${error instanceof Error ? error.message : String(error)}` }),
      );
    this.#asking = false;
    this.#clock();
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
    for (const event of this.#decoder.end()) this.#publish(event, 0);
    const result = this.snapshot();
    if (this.#expired) {
      this.fail(this.#timeoutError(false));
    } else if (this.#error !== undefined) {
      const { ename, evalue, traceback, frames } = this.#error;
      const exception = { errorName: ename, errorValue: evalue, traceback: traceback.join("\n"), frames };
      this.fail(new ExecutionError(exception, result));
    } else {
      this.#settle();
      this.#queue.close();
      this.#outcome.resolve(result);
    }
  }

  #settle(): void {
    this.#settled = true;
    this.#watch.halt();
    this.#requests = [];
    this.#host.balance();
  }

  #expire(): void {
    if (this.#settled) return;
    this.#expired = true;
    this.#interrupt();
    setTimeout(() => this.#abandon(this.#timeoutError(true)), SETTLE_AFTER_MS).unref();
  }

  #timeoutError(stateLost: boolean): ExecutionTimeoutError {
    return new ExecutionTimeoutError(this.#timeoutMs ?? 0, this.snapshot(), stateLost, { executionId: this.id });
  }

  #clock(): void {
    if (this.#waiting || this.#held || this.#asking || this.#settled) this.#watch.halt();
    else this.#watch.run();
  }

  #await(options: ResultOptions): void {
    if (options.timeoutMs !== undefined) {
      this.#timeoutMs = options.timeoutMs;
      this.#watch.restart(options.timeoutMs);
    }
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

  /** For a reader that comes late: what the result has kept. */
  async *#replay(): AsyncGenerator<ExecutionEvent, void, undefined> {
    const outcome = await this.#outcome.promise.then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    const { outputs, truncated } = this.snapshot();
    for (const output of outputs) {
      if (output.kind === "stream") yield { type: "stream", name: output.name, text: output.text };
      else if (output.kind === "display") yield { type: "display_data", transient: {}, ...output };
      else if (output.kind === "result") yield { type: "execute_result", execution_count: this.#executionCount ?? 0, ...output };
    }
    if (truncated) {
      throw new IpyboxError(
        "output_lost",
        `Execution ${this.id} gave more than maxOutputBytes before stream() was called: call it right after submit().`,
      );
    }
    if (outcome !== undefined) throw outcome.error;
  }
}
