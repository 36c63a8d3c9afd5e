import { atDeadline } from "./timer.ts";

/** A timer that can be halted and goes on with the time that was left. */
export class Stopwatch {
  readonly #onExpired: () => void;
  #leftMs: number | null;
  #runningSince: number | undefined;
  #cancel: (() => void) | undefined;

  /** `null` never expires. */
  constructor(limitMs: number | null, onExpired: () => void) {
    this.#leftMs = limitMs;
    this.#onExpired = onExpired;
  }

  run(): void {
    if (this.#runningSince !== undefined) return;
    this.#runningSince = performance.now();
    if (this.#leftMs !== null) this.#cancel = atDeadline(this.#leftMs, this.#onExpired);
  }

  halt(): void {
    if (this.#runningSince === undefined) return;
    this.#cancel?.();
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
