import { ExecutionError } from "./errors.ts";
import { type Decoded, MessageDecoder } from "./message-decoder.ts";
import { OutputCollector } from "./outputs.ts";
import type { ExceptionContent, ExecuteReplyEvent, ExecutionEvent } from "./protocol/events.ts";
import { type Frame, FrameFlag, FrameKind } from "./protocol/frame.ts";
import { ExecutionResult } from "./result.ts";

/** Puts the result of one execution together from its frames. */
export class ResultBuilder {
  readonly #decoder = new MessageDecoder();
  readonly #collector: OutputCollector;
  #error: ExceptionContent | undefined;
  #executionCount: number | null = null;
  /** Bytes of output that have come or are known to be gone. */
  #receivedBytes = 0;
  #lostBytes = 0;
  /** Whether the cell runs in a new process. */
  freshKernel = false;

  constructor(maxOutputBytes: number) {
    this.#collector = new OutputCollector(maxOutputBytes);
  }

  /** What a frame says, and how many bytes it took; undefined when it is only a part of a message. Throws when it is none. */
  decode(frame: Frame): { readonly message: Decoded; readonly bytes: number } | undefined {
    const isOutput = frame.kind !== FrameKind.lifecycle && (frame.flags & FrameFlag.last) === 0;
    if (isOutput) this.#receivedBytes += frame.payload.length;
    const bytes = frame.payload.length + (frame.kind === FrameKind.message ? this.#decoder.unfinishedBytes : 0);
    const message = this.#decoder.decode(frame);
    return message && { message, bytes };
  }

  add(event: ExecutionEvent, bytes: number): void {
    if (event.type === "error") this.#error = event;
    if (event.type === "execute_reply") this.#reply(event);
    this.#collector.add(event, bytes);
  }

  /** Output is gone for good: up to now there were `bytes` of it, seen or not. Gives what it leaves behind. */
  gap(bytes: number): readonly ExecutionEvent[] {
    const missed = bytes - this.#receivedBytes;
    if (missed <= 0) return [];
    const rest = this.rest();
    this.#decoder.gap();
    this.#lostBytes += missed;
    this.#receivedBytes = bytes;
    return rest;
  }

  /** What the streams still hold: halves of characters. */
  rest(): readonly ExecutionEvent[] {
    return [...this.#decoder.end()];
  }

  /** The result so far. */
  snapshot(): ExecutionResult {
    return new ExecutionResult(this.#collector, {
      executionCount: this.#executionCount,
      freshKernel: this.freshKernel,
      lostBytes: this.#lostBytes + this.#decoder.lostBytes,
    });
  }

  /** The exception that the cell ended with, if it did. */
  exception(): ExecutionError | undefined {
    if (this.#error === undefined) return undefined;
    const { ename, evalue, traceback, frames } = this.#error;
    const exception = { errorName: ename, errorValue: evalue, traceback: traceback.join("\n"), frames };
    return new ExecutionError(exception, this.snapshot());
  }

  #reply(reply: ExecuteReplyEvent): void {
    this.#executionCount = reply.execution_count;
    // An error may be shown by code that goes on: it does not fail the cell.
    if (reply.status === "ok") this.#error = undefined;
    // The error itself may have been lost with the connection.
    else this.#error ??= reply;
  }
}
