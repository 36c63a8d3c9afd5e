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
    // Longer than about 25 days is more than a timer takes, and as good as never.
    if (this.#leftMs !== null && this.#leftMs < 2 ** 31) this.#timer = setTimeout(this.#onExpired, this.#leftMs);
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
}
