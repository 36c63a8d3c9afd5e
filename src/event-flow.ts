import { EventQueue } from "./internal/event-queue.ts";
import type { ExecutionEvent } from "./protocol/events.ts";

/** So much may wait for a reader before the cell has to wait. */
const HIGH_WATER_BYTES = 1024 * 1024;

/** What an event takes beside its text: many without any must not be free. */
const EVENT_BYTES = 100;

/** The events of an execution on their way to its one reader, if there is any. */
export class EventFlow {
  readonly #queue = new EventQueue<ExecutionEvent>();
  /** There is more or less room than before. */
  readonly #onChange: () => void;
  #reader: "none" | "reading" | "done" = "none";
  #draining = false;
  #closed = false;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Whether the cell should wait until more has been read. */
  get full(): boolean {
    return !this.#draining && !this.#closed && this.#queue.bytes > HIGH_WATER_BYTES;
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
    if (this.full) this.#onChange();
  }

  /** Nothing more comes; with `failure`, the reader gets that after all that is queued. */
  close(failure?: { readonly reason: unknown }): void {
    this.#closed = true;
    this.#queue.close(failure);
  }

  /** No reader will come: nothing waits for one from now on. */
  drain(): void {
    if (this.#draining || this.reading) return;
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
        this.#onChange();
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
      if (left) onLeft();
    }
  }
}
