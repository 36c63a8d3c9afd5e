import { EventQueue } from "./internal/event-queue.ts";
import type { ExecutionEvent } from "./protocol/events.ts";

/** So much may wait for a reader before the cell has to wait. */
const HIGH_WATER_BYTES = 1024 * 1024;

/** A reader that takes nothing for so long is not waited for if somebody else waits for what comes behind: it may wait for that itself. */
const STALLED_AFTER_MS = 30_000;

/** What an event takes beside its text: many without any must not be free. */
const EVENT_BYTES = 100;

/** When so much waits for the reader, texts are given to it together, up to so much at once. */
const BEHIND_BYTES = 64 * 1024;

/** The events of an execution on their way to its one reader, if there is any. */
export class EventFlow {
  readonly #queue = new EventQueue<ExecutionEvent>();
  /** There is more or less room than before. */
  readonly #onChange: () => void;
  #reader: "none" | "reading" | "done" = "none";
  #draining = false;
  #closed = false;
  /** Whether somebody waits for what comes behind. */
  #inTheWay = false;
  #stalled = false;
  #patience: NodeJS.Timeout | undefined;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Whether the cell should wait until more has been read. */
  get full(): boolean {
    return !this.#draining && !this.#closed && !this.#stalled && this.#queue.bytes > HIGH_WATER_BYTES;
  }

  get reading(): boolean {
    return this.#reader === "reading";
  }

  /** Whether it is too late to read: what came is only in the result. */
  get missed(): boolean {
    return this.#reader === "done" || this.#draining;
  }

  push(event: ExecutionEvent, bytes: number): void {
    if (this.#draining) return;
    this.#queue.push(event, bytes + EVENT_BYTES);
    if (!this.full) return;
    this.#watch();
    this.#onChange();
  }

  /** Nothing more comes; with `failure`, the reader gets that after all that is queued. */
  close(failure?: { readonly reason: unknown }): void {
    this.#closed = true;
    clearTimeout(this.#patience);
    this.#queue.close(failure);
  }

  /** Somebody waits for what comes behind: where there is no reader, nothing waits for one from now on. */
  drain(): void {
    if (this.#draining) return;
    if (this.reading) {
      this.#inTheWay = true;
      this.#watch();
      return;
    }
    this.#draining = true;
    this.#queue.clear();
    this.#onChange();
  }

  /** All events; `onLeft` is called when the reader goes before the end. */
  async *read(onLeft: () => void): AsyncGenerator<ExecutionEvent, void, undefined> {
    this.#reader = "reading";
    let left = true;
    try {
      for (;;) {
        const next = await this.#queue.take();
        const event = next === undefined ? undefined : this.#joined(next.value);
        clearTimeout(this.#patience);
        this.#patience = undefined;
        this.#watch();
        this.#onChange();
        if (event === undefined) break;
        yield event;
      }
      left = false;
    } catch (error) {
      left = false;
      throw error;
    } finally {
      this.#reader = "done";
      this.drain();
      if (left) onLeft();
    }
  }

  /** For a reader that is far behind, a text with those of the same stream that come next: else each print may cost it one turn. */
  #joined(event: ExecutionEvent): ExecutionEvent {
    if (event.type !== "stream" || this.#queue.bytes < BEHIND_BYTES) return event;
    let { text } = event;
    const isNext = (next: ExecutionEvent): boolean =>
      next.type === "stream" && next.name === event.name && text.length + next.text.length <= BEHIND_BYTES;
    for (let next = this.#queue.takeIf(isNext); next?.value.type === "stream"; next = this.#queue.takeIf(isNext)) {
      text += next.value.text;
    }
    return { ...event, text };
  }

  /** Gives the reader its time, when it is in the way. */
  #watch(): void {
    if (!this.#inTheWay || !this.full) return;
    this.#patience ??= setTimeout(() => {
      this.#stalled = true;
      this.#onChange();
    }, STALLED_AFTER_MS).unref();
  }
}
