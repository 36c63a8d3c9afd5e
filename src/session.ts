import { randomInt } from "node:crypto";
import { ContainerDiedError, IpyboxError } from "./errors.ts";
import { Link, type LinkOptions } from "./link.ts";
import { endsExecution, type Frame, FrameKind, MAX_REQUEST_BYTES } from "./protocol/frame.ts";
import { decodeLifecycle } from "./protocol/lifecycle.ts";
import { encodeRequest } from "./protocol/messages.ts";
import type { Request } from "./protocol/requests.ts";
import type { ExecutionResult } from "./result.ts";
import type { KernelTarget } from "./target.ts";

/** Something that a client waits for: it takes frames until it is settled. */
export interface Pending {
  readonly number: number;
  readonly settled: boolean;
  /** Whether output must wait until more of it has been read. */
  readonly full: boolean;
  /**
   * All that the agent must know of it, sent again whenever the connection has dropped; also when it is settled,
   * as long as its cell may run.
   */
  readonly requests: readonly Request[];
  /** Takes a frame; one of the `past` was there before the connection was made. */
  receive(frame: Frame, past: boolean): void;
  /** All of the past has come. */
  caughtUp?(): void;
  fail(error: unknown): void;
  /** Output is held back for some reader, or flows again: a cell's time does not count meanwhile. */
  hold(held: boolean): void;
  /** Nobody reads it before its end: it must not hold up others. */
  drain(): void;
  /** Frames are gone for good before the next one; up to there, the agent had so many bytes of output of it, seen or not. */
  gap(bytes: number): void;
  /** Waits as long as `wait` takes, which doesn't count as its own time. */
  whileAsking?<T>(wait: () => Promise<T>): Promise<T>;
  /** What has come so far, if it has a result. */
  snapshot?(): ExecutionResult;
}

export interface SessionEvents {
  /** A frame that belongs to nothing that is waited for. */
  onOther(frame: Frame): void;
  /** A frame about calls of host functions. */
  onCall(frame: Frame): void;
  /** What was sent before may not have arrived. */
  onReconnected(): void;
  /** The kernel's process has ended, with all that waited in it. */
  onDied(): void;
  /** Frames are missing before the next one. */
  onGap(): void;
  onLost(error: IpyboxError): void;
}

/** A client's life with one kernel: what it waits for, over a connection that may drop and come back. */
export class Session {
  readonly kernelId: string;
  readonly #link: Link;
  readonly #events: SessionEvents;
  readonly #pending = new Map<number, Pending>();
  #next: number = randomInt(1, 2 ** 31);
  #paused = false;

  private constructor(kernelId: string, link: Link, events: SessionEvents) {
    this.kernelId = kernelId;
    this.#link = link;
    this.#events = events;
  }

  /** Connects to a kernel, and creates it when the options say so. `first` is waited for before anything comes. */
  static async open(target: KernelTarget, options: LinkOptions, events: SessionEvents, first?: Pending): Promise<Session> {
    const link = await Link.open(target, options);
    const session = new Session(target.kernelId, link, events);
    if (first !== undefined) session.submit(first);
    link.start({
      onFrame: (frame, past) => session.#receive(frame, past),
      onCaughtUp: () => {
        for (const pending of session.#pending.values()) pending.caughtUp?.();
      },
      onReconnected: () => {
        session.#resubmit();
        events.onReconnected();
      },
      onGap: (gone) => {
        for (const pending of session.#pending.values()) pending.gap(gone.get(pending.number) ?? 0);
        events.onGap();
      },
      onNotFound: (number) => {
        session.#pending.get(number)?.fail(notFound(number));
        session.#pending.delete(number);
      },
      onLost: (error) => session.#lose(error),
    });
    return session;
  }

  /** A number that no task of this client has. */
  number(): number {
    this.#next = (this.#next % 0xffff_ffff) + 1;
    return this.#next;
  }

  /** Names this client among those of the kernel. */
  get client(): string {
    return this.#link.client;
  }

  /** Waits as long as `wait` takes; meanwhile the execution's time does not count. */
  whileAsking<T>(number: number, wait: () => Promise<T>): Promise<T> {
    const pending = this.#pending.get(number);
    return pending?.whileAsking === undefined ? wait() : pending.whileAsking(wait);
  }

  /** Waits for something from now on, and asks the agent for it. */
  submit(pending: Pending): void {
    if (pending.settled) return;
    try {
      const frames = pending.requests.map(encodeWithin);
      this.#pending.set(pending.number, pending);
      for (const frame of frames) this.#link.sendFrame(frame);
    } catch (error) {
      pending.fail(error);
    }
  }

  send(request: Request): void {
    this.#link.send(request);
  }

  sendFrame(frame: Buffer): void {
    this.#link.sendFrame(frame);
  }

  /** Those before it must not hold up what somebody waits for. */
  drainBefore(pending: Pending): void {
    for (const earlier of this.#pending.values()) {
      if (earlier === pending) break;
      earlier.drain();
    }
  }

  /** Stops output when some reader is behind, and lets it flow when none is. */
  balance(): void {
    let paused = false;
    for (const { settled, full } of this.#pending.values()) {
      if (settled) continue;
      // Only the first: its end may come behind the output of later ones, when it is sent again.
      paused = full;
      break;
    }
    if (paused === this.#paused) return;
    this.#paused = paused;
    this.#link.pause(paused);
    for (const pending of this.#pending.values()) pending.hold(paused);
  }

  /** Leaves the kernel, or removes it. What is waited for rejects with `disconnected`. */
  async close(removeKernel: boolean): Promise<void> {
    this.#failAll(() => new IpyboxError("disconnected", "The client was disconnected before the execution was done."));
    await this.#link.close(removeKernel);
  }

  #receive(frame: Frame, past: boolean): void {
    if (frame.kind === FrameKind.call) {
      this.#events.onCall(frame);
      return;
    }
    if (tellsDeath(frame)) this.#events.onDied();
    const pending = this.#pending.get(frame.execution);
    if (pending === undefined) {
      this.#events.onOther(frame);
      return;
    }
    pending.receive(frame, past);
    const ended = endsExecution(frame.flags) || pending.requests.length === 0;
    if (pending.settled && ended) this.#pending.delete(frame.execution);
  }

  /** What the agent may not have got is sent again; it knows what it has seen. */
  #resubmit(): void {
    for (const { requests } of this.#pending.values()) for (const request of requests) this.#link.send(request);
  }

  #lose(error: IpyboxError): void {
    const died = error instanceof ContainerDiedError;
    this.#failAll((pending) =>
      died ? new ContainerDiedError(error.reason, pending.snapshot?.(), { cause: error.cause }) : error,
    );
    this.#events.onLost(error);
  }

  #failAll(reason: (pending: Pending) => IpyboxError): void {
    for (const pending of this.#pending.values()) pending.fail(reason(pending));
    this.#pending.clear();
  }
}

/** What is longer, the agent does not take: it would end the connection, again and again. */
function encodeWithin(request: Request): Buffer {
  let bytes: number | undefined;
  try {
    const frame = encodeRequest(request);
    bytes = frame.length;
    if (bytes <= MAX_REQUEST_BYTES) return frame;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // longer than a string may be
  }
  const size = bytes === undefined ? "too long to be encoded" : `${bytes} bytes long`;
  throw new IpyboxError(
    "invalid_option",
    `The ${request.type.replace("_request", "")} request is ${size}, and at most ${MAX_REQUEST_BYTES} bytes can be sent. Use client.files for what is large.`,
    { details: { field: "code" in request ? "code" : "value", bytes, limitBytes: MAX_REQUEST_BYTES } },
  );
}

function notFound(number: number): IpyboxError {
  const id = executionId(number);
  return new IpyboxError("execution_not_found", `The kernel knows no execution ${id}.`, { details: { executionId: id } });
}

function tellsDeath({ kind, flags, payload }: Frame): boolean {
  if (kind !== FrameKind.lifecycle || !endsExecution(flags)) return false;
  const { type } = decodeLifecycle(payload);
  return type === "kernel_died" || type === "reset_reply";
}

/** What the agent must still know of a task that nobody waits for any more. One that it does not know is not begun. */
export function requestsToEnd(number: number): Request[] {
  return [
    { type: "resume_request", execution: number },
    { type: "interrupt_request", execution: number },
  ];
}

/** How an execution is named outside: its number in hex. */
export function executionId(number: number): string {
  return number.toString(16).padStart(8, "0");
}
