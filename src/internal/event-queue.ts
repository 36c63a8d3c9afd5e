import { deferred, type Deferred } from "./deferred.ts";

/** Items that were taken are forgotten when there are so many of them. */
const MAX_TAKEN = 64;

/** A queue for one reader. Who fills it looks at `bytes` and stops before it grows too long. */
export class EventQueue<T> {
  #items: { readonly value: T; readonly bytes: number }[] = [];
  #next = 0;
  #bytes = 0;
  #closed = false;
  #failure: { readonly reason: unknown } | undefined;
  #waiter: Deferred<void> | undefined;

  /** Bytes that wait to be read. */
  get bytes(): number {
    return this.#bytes;
  }

  push(value: T, bytes: number): void {
    if (this.#closed) return;
    this.#items.push({ value, bytes });
    this.#bytes += bytes;
    this.#wake();
  }

  /** Nothing more comes; with `failure`, the reader gets that after all that is queued. */
  close(failure?: { readonly reason: unknown }): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#failure = failure;
    this.#wake();
  }

  /** Forgets what is queued. */
  clear(): void {
    this.#items = [];
    this.#next = 0;
    this.#bytes = 0;
  }

  /** The next item, or undefined at the end; throws the failure that the queue was closed with. */
  async take(): Promise<{ readonly value: T } | undefined> {
    for (;;) {
      const item = this.takeIf(() => true);
      if (item !== undefined) return item;
      if (this.#closed) {
        if (this.#failure !== undefined) throw this.#failure.reason;
        return undefined;
      }
      this.#waiter ??= deferred();
      await this.#waiter.promise;
    }
  }

  /** The next item if it is there already, and wanted. */
  takeIf(isWanted: (value: T) => boolean): { readonly value: T } | undefined {
    const item = this.#items[this.#next];
    if (item === undefined || !isWanted(item.value)) return undefined;
    this.#next += 1;
    this.#bytes -= item.bytes;
    // What has been taken must not be kept, also when the queue never runs empty.
    if (this.#next === this.#items.length) this.clear();
    else if (this.#next === MAX_TAKEN) {
      this.#items.splice(0, MAX_TAKEN);
      this.#next = 0;
    }
    return item;
  }

  #wake(): void {
    this.#waiter?.resolve();
    this.#waiter = undefined;
  }
}
