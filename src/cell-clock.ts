import { Stopwatch } from "./internal/stopwatch.ts";

/** Why a cell's time does not count: others run before it, its output waits for a reader, somebody is asked. */
export type Pause = "queued" | "held" | "asking";

/** The time limit of a cell: only the time counts in which the cell itself could go on. */
export class CellClock {
  readonly #watch: Stopwatch;
  readonly #paused = new Map<Pause, number>();
  #stopped = false;
  #limitMs: number | null;

  /** Runs at once; `null` never expires. */
  constructor(limitMs: number | null, onExpired: () => void) {
    this.#limitMs = limitMs;
    this.#watch = new Stopwatch(limitMs, onExpired);
    this.#watch.run();
  }

  get limitMs(): number | null {
    return this.#limitMs;
  }

  /** Sets a new limit, counted from now. */
  restart(limitMs: number | null): void {
    this.#limitMs = limitMs;
    this.#watch.restart(limitMs);
  }

  /** Sets whether there is this reason to wait. */
  set(why: Pause, waits: boolean): void {
    this.#paused.set(why, waits ? 1 : 0);
    this.#turn();
  }

  /** Halts for as long as `wait` takes; several may wait at once. */
  async during<T>(why: Pause, wait: () => Promise<T>): Promise<T> {
    this.#count(why, 1);
    try {
      return await wait();
    } finally {
      this.#count(why, -1);
    }
  }

  /** Halts for good. */
  stop(): void {
    this.#stopped = true;
    this.#turn();
  }

  #count(why: Pause, change: 1 | -1): void {
    this.#paused.set(why, (this.#paused.get(why) ?? 0) + change);
    this.#turn();
  }

  #turn(): void {
    const waits = this.#stopped || [...this.#paused.values()].some((count) => count > 0);
    if (waits) this.#watch.halt();
    else this.#watch.run();
  }
}
