import { timerMs } from "./timer.ts";

/** A timer that is later than this by so much has not been waited for. */
const LATE_MS = 250;

/** A timer that can be halted and goes on with the time that was left. */
export class Stopwatch {
  readonly #onExpired: () => void;
  #leftMs: number | null;
  #runningSince: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `null` never expires. */
  constructor(limitMs: number | null, onExpired: () => void) {
    this.#leftMs = limitMs;
    this.#onExpired = onExpired;
  }

  run(): void {
    if (this.#runningSince !== undefined) return;
    this.#runningSince = performance.now();
    if (this.#leftMs !== null) this.#wait(this.#leftMs);
  }

  halt(): void {
    if (this.#runningSince === undefined) return;
    clearTimeout(this.#timer);
    if (this.#leftMs !== null) this.#leftMs = Math.max(0, this.#leftMs - (performance.now() - this.#runningSince));
    this.#runningSince = undefined;
  }

  /** Sets a new limit, counted from now. */
  restart(limitMs: number | null): void {
    const running = this.#runningSince !== undefined;
    this.halt();
    this.#leftMs = limitMs;
    if (running) this.run();
  }

  #wait(ms: number): void {
    const dueAt = performance.now() + ms;
    this.#timer = setTimeout(() => {
      const lateMs = performance.now() - dueAt;
      if (ms > timerMs(ms)) this.#wait(-lateMs);
      // The process was stopped, or busy: what has come meanwhile is to be read first.
      else if (lateMs > LATE_MS) this.#timer = setTimeout(this.#onExpired, LATE_MS);
      else this.#onExpired();
    }, timerMs(ms));
  }
}
