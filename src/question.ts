import type { QuestionOptions } from "./client-options.ts";
import { ExecutionAbortedError, ExecutionError, ExecutionTimeoutError, IpyboxError, KernelDiedError } from "./errors.ts";
import { deferred } from "./internal/deferred.ts";
import { Stopwatch } from "./internal/stopwatch.ts";
import { MessageDecoder } from "./message-decoder.ts";
import { DEFAULTS } from "./options.ts";
import { OutputCollector } from "./outputs.ts";
import type { Answer } from "./protocol/answers.ts";
import { endsExecution, type Frame } from "./protocol/frame.ts";
import type { Request } from "./protocol/requests.ts";
import { ExecutionResult } from "./result.ts";
import { executionId, type Pending, requestsToEnd, type Session } from "./session.ts";
import { startFailure } from "./start-failure.ts";

/** What a kernel or its agent answers to what is no cell. */
export type Reply = Answer | { readonly type: "reset_reply" };

/** Something asked of a kernel that has one answer and no output. It is done in its turn, behind the cells before it. */
export class Question implements Pending {
  readonly number: number;
  readonly full = false;
  readonly #session: Session;
  readonly #decoder = new MessageDecoder();
  readonly #reply = deferred<Reply>();
  readonly #watch: Stopwatch;
  #requests: Request[];
  #settled = false;

  private constructor(session: Session, request: Request & { readonly execution: number }, options: QuestionOptions) {
    this.number = request.execution;
    this.#session = session;
    this.#requests = [request];
    const timeoutMs = options.timeoutMs === undefined ? DEFAULTS.timeoutMs : options.timeoutMs;
    this.#watch = new Stopwatch(timeoutMs, () => {
      const what = `The ${request.type.replace("_request", "")} request`;
      const details = { executionId: executionId(this.number) };
      this.#abandon(new ExecutionTimeoutError(timeoutMs ?? 0, noResult(), false, details, what));
    });
    this.#watch.run();
    const { signal } = options;
    if (signal === undefined) return;
    const abort = (): void => this.#abandon(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    void this.#reply.promise.catch(() => undefined).finally(() => signal.removeEventListener("abort", abort));
  }

  /**
   * Asks, and gives the answer.
   *
   * @throws ExecutionError when the kernel raises an exception, ExecutionTimeoutError, ExecutionAbortedError,
   * KernelDiedError, ContainerDiedError, the reason of `signal`.
   */
  static ask(session: Session, request: Request & { readonly execution: number }, options: QuestionOptions): Promise<Reply> {
    const question = new Question(session, request, options);
    session.submit(question);
    session.drainBefore(question);
    return question.#reply.promise;
  }

  get settled(): boolean {
    return this.#settled;
  }

  get requests(): readonly Request[] {
    return this.#requests;
  }

  receive(frame: Frame): void {
    if (this.#settled) return;
    try {
      const message = this.#decoder.decode(frame);
      if (message === undefined) return;
      this.#take(message);
    } catch (cause) {
      this.fail(new IpyboxError("protocol_violation", "The kernel sent what is no message; reset it.", { cause }));
    }
    if (endsExecution(frame.flags)) this.fail(new IpyboxError("protocol_violation", "The kernel gave no answer."));
  }

  fail(error: unknown): void {
    if (this.#settled) return;
    this.#settle();
    this.#reply.reject(error);
  }

  hold(): void {}

  drain(): void {}

  gap(): void {
    this.#decoder.gap();
  }

  #take(message: NonNullable<ReturnType<MessageDecoder["decode"]>>): void {
    switch (message.type) {
      case "execution_queued":
        this.#watch.halt();
        break;
      case "execution_started":
        this.#watch.run();
        break;
      case "execution_aborted":
        this.fail(new ExecutionAbortedError(executionId(this.number), message.reason));
        break;
      case "kernel_died":
        this.fail(new KernelDiedError(message, noResult()));
        break;
      case "kernel_start_failed":
        this.fail(startFailure(message.message, message.bound));
        break;
      case "execution_lost":
        this.fail(
          new IpyboxError("output_lost", "The kernel has answered while the connection was down, and the answer is gone."),
        );
        break;
      case "error_reply":
        this.fail(
          new ExecutionError({ errorName: message.ename, errorValue: message.evalue, traceback: "", frames: [] }, noResult()),
        );
        break;
      default:
        if (isReply(message)) {
          this.#settle();
          this.#reply.resolve(message);
        }
    }
  }

  /** Settles the question while it may still be worked on, which is to be ended. */
  #abandon(error: unknown): void {
    if (this.#settled) return;
    this.fail(error);
    this.#requests = requestsToEnd(this.number);
    this.#session.send({ type: "interrupt_request", execution: this.number });
  }

  #settle(): void {
    this.#settled = true;
    this.#watch.halt();
    this.#requests = [];
  }
}

function isReply(message: { readonly type: string }): message is Reply {
  return message.type.endsWith("_reply") && message.type !== "execute_reply";
}

/** Questions print nothing that anybody would miss. */
export function noResult(): ExecutionResult {
  return new ExecutionResult(new OutputCollector(0), { executionCount: null, freshKernel: false, lostBytes: 0 });
}
