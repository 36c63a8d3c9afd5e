import { timerMs } from "../internal/timer.ts";
import { MessageParts } from "../message-parts.ts";
import { type CallMessage, decodeCall, type HostCallRequest, MAX_CALL_BYTES } from "../protocol/calls.ts";
import { type Frame, MAX_REQUEST_BYTES } from "../protocol/frame.ts";
import { encodeRequest } from "../protocol/messages.ts";
import type { HostCallReply } from "../protocol/requests.ts";
import { decodeValue, encodeValue } from "../variables.ts";
import { type ApprovalHandler, approve } from "./approval.ts";
import { asHostCallError, HostCallError } from "./host-call-error.ts";
import type { HostCallable, HostCallContext } from "./host-function.ts";
import type { HostFunctions } from "./host-functions.ts";
import { ReplyOutbox } from "./reply-outbox.ts";

/** So many calls are answered at once. */
const MAX_OPEN_CALLS = 4_096;

/** What the calls need of their client's connection. */
export interface CallLine {
  /** Names the client. */
  readonly client: string;
  sendFrame(frame: Buffer): void;
  /** Waits as long as `wait` takes; meanwhile the execution's time does not count. */
  whileAsking<T>(number: number, wait: () => Promise<T>): Promise<T>;
}

/** Answers the calls that come from a kernel: each once, however often it is told. */
export class HostCalls {
  readonly #functions: HostFunctions;
  readonly #onApproval: ApprovalHandler | undefined;
  readonly #parts = new MessageParts(MAX_CALL_BYTES);
  readonly #open = new Map<number, AbortController>();
  readonly #outbox = new ReplyOutbox();
  #line: CallLine | undefined;

  constructor(functions: HostFunctions, onApproval: ApprovalHandler | undefined) {
    this.#functions = functions;
    this.#onApproval = onApproval;
  }

  /** Calls of this line's client are answered from now on. */
  connect(line: CallLine): void {
    this.#line = line;
  }

  /** Takes a frame about calls. */
  receive(frame: Frame): void {
    let message: CallMessage;
    try {
      const whole = this.#parts.add(frame);
      if (whole === undefined) return;
      message = decodeCall(whole);
    } catch {
      return; // a cell has forged it: the kernel itself sends no such thing
    }
    if (message.type !== "host_call_cancel") for (const number of message.done) this.#outbox.delete(number);
    if (this.#line === undefined || message.client !== this.#line.client) return;
    switch (message.type) {
      case "host_call_request":
        this.#begin(message, frame.execution);
        break;
      case "host_call_cancel":
        this.#cancel(message.number);
        this.#outbox.delete(message.number);
        break;
      case "host_call_done":
        if (message.open !== undefined) this.#keepOnly(new Set(message.open));
    }
  }

  /** The connection is back: replies may have been lost with the old one. */
  reconnected(): void {
    for (const frame of this.#outbox.frames()) this.#line?.sendFrame(frame);
  }

  /** Messages are gone: the kernel is asked for what is still open. */
  gap(): void {
    this.#parts.gap();
    if (this.#line === undefined) return;
    this.#line.sendFrame(encodeRequest({ type: "host_calls_request", execution: 0, client: this.#line.client }));
  }

  /** Nobody waits for any reply: the kernel's process has ended, or the client leaves it. */
  end(): void {
    this.#keepOnly(new Set());
  }

  #begin(request: HostCallRequest, execution: number): void {
    const { number, name } = request;
    if (this.#open.has(number) || this.#outbox.has(number)) return; // it was told again
    if (this.#open.size >= MAX_OPEN_CALLS) {
      const text = `${name} can't be called: ${MAX_OPEN_CALLS} calls of this kernel wait for their answers already`;
      this.#reply(execution, number, { error: errorOf(new HostCallError("unavailable", text)) });
      return;
    }
    const abort = new AbortController();
    this.#open.set(number, abort);
    const answered = this.#answer(request, execution, abort.signal).then((value) =>
      encodeValue(value, `${name}: the handler's value`),
    );
    answered
      .then(
        (value) => ({ value: value.value, buffers: value.buffers }),
        (error: unknown) => ({ error: errorOf(asHostCallError(error)) }),
      )
      .then(
        (content) => {
          // Else it was cancelled, and nobody waits.
          if (this.#open.delete(number)) this.#reply(execution, number, content);
        },
        () => undefined,
      );
  }

  async #answer({ name, value }: HostCallRequest, execution: number, signal: AbortSignal): Promise<unknown> {
    const callable = this.#functions.find(name);
    if (callable === undefined) throw new HostCallError("unavailable", `${name} can't be called: no program exposes it`);
    const context = { signal, executionId: execution.toString(16).padStart(8, "0") };
    const input = await callable.parseInput(decodeValue(value ?? null));
    const approved = await this.#approved(callable, input, execution, context);
    signal.throwIfAborted();
    const output = await inTime(callable, approved, context);
    return output === undefined ? null : output;
  }

  async #approved(callable: HostCallable, input: unknown, execution: number, context: HostCallContext): Promise<unknown> {
    const handler = this.#onApproval;
    if (handler === undefined || this.#line === undefined) return input;
    const request = { kind: callable.kind, name: callable.label, input, ...context };
    return this.#line.whileAsking(execution, () => unlessAborted(approve(handler, callable, request), context.signal));
  }

  #reply(execution: number, number: number, content: HostCallContent): void {
    const head = { type: "host_call_reply", execution, number } as const;
    let frame = encodeRequest({ ...head, ...content });
    if (frame.length > MAX_REQUEST_BYTES) {
      const text = `the value has ${frame.length} bytes; at most ${MAX_REQUEST_BYTES} can be sent`;
      frame = encodeRequest({ ...head, error: errorOf(new HostCallError("failed", text, "RangeError")) });
    }
    const lost = new HostCallError("failed", "the value was lost: too many wait to be received");
    this.#outbox.add(number, frame, () => encodeRequest({ ...head, error: errorOf(lost) }));
    this.#line?.sendFrame(frame);
  }

  #cancel(number: number): void {
    const abort = this.#open.get(number);
    this.#open.delete(number);
    abort?.abort();
  }

  #keepOnly(numbers: ReadonlySet<number>): void {
    for (const number of [...this.#open.keys()]) if (!numbers.has(number)) this.#cancel(number);
    this.#outbox.keepOnly(numbers);
  }
}

type HostCallContent =
  Pick<Extract<HostCallReply, { value: unknown }>, "value"> | Pick<Extract<HostCallReply, { error: unknown }>, "error">;

function errorOf({ kind, errorName, message }: HostCallError): Extract<HostCallReply, { error: unknown }>["error"] {
  return { kind, name: errorName, message };
}

/** Runs the handler, within its time limit if it has one. */
async function inTime(callable: HostCallable, input: unknown, context: HostCallContext): Promise<unknown> {
  const { timeoutMs, label } = callable;
  const run = async (limited: HostCallContext): Promise<unknown> => callable.parseOutput(await callable.run(input, limited));
  if (timeoutMs === undefined) return run(context);
  const expired = new AbortController();
  const timer = setTimeout(() => {
    expired.abort(new HostCallError("timeout", `${label} has not answered within ${timeoutMs} ms (timeoutMs)`, "TimeoutError"));
  }, timerMs(timeoutMs));
  const signal = AbortSignal.any([context.signal, expired.signal]);
  try {
    return await unlessAborted(run({ ...context, signal }), expired.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** What the promise gives, unless the signal aborts before. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
