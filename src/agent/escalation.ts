import type { KernelProcess } from "./kernel-process.ts";

/** After an interrupt: when it is repeated, and when the process is ended instead. */
const AGAIN_MS = 1_500;
const KILL_AFTER_MS = 3_000;

/** Ends what a kernel runs: SIGINT, again SIGINT, and then SIGKILL, unless `end()` comes before. */
export class Escalation {
  #timer: NodeJS.Timeout | undefined;

  /** Does nothing while one is under way. */
  begin(process: KernelProcess): void {
    if (this.#timer !== undefined) return;
    process.signal("SIGINT");
    this.#timer = setTimeout(() => {
      process.signal("SIGINT");
      this.#timer = setTimeout(() => process.signal("SIGKILL"), KILL_AFTER_MS - AGAIN_MS);
    }, AGAIN_MS);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
