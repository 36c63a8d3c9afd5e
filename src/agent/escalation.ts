import type { KernelProcess } from "./kernel-process.ts";

/** After an interrupt: when it is repeated, and when the process is ended instead. */
const AGAIN_MS = 1_500;
const KILL_AFTER_MS = 3_000;

/** So much is taken of a kernel that is interrupted, although a reader is slow: else it could not tell that it has ended. */
const ALLOWANCE_BYTES = 4 * 1024 * 1024;

/** Ends what a kernel runs: SIGINT, again SIGINT, and then SIGKILL, unless `end()` comes before. */
export class Escalation {
  #current: { readonly execution: number; readonly process: KernelProcess; repeated: boolean; allowance: number } | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Does nothing while one is under way. */
  begin(process: KernelProcess, execution: number): void {
    if (this.#current !== undefined) return;
    this.#current = { execution, process, repeated: false, allowance: ALLOWANCE_BYTES };
    process.interrupt();
    this.#timer = setTimeout(() => {
      process.interrupt();
      this.#timer = setTimeout(() => process.kill(), KILL_AFTER_MS - AGAIN_MS);
    }, AGAIN_MS);
  }

  /** The interrupt has come before the execution had begun, which it now has: it is repeated, once. */
  onBegun(execution: number): void {
    const current = this.#current;
    if (current === undefined || current.repeated || current.execution !== execution) return;
    current.repeated = true;
    current.process.interrupt();
  }

  /** Whether the kernel's output is to be taken, however slow its readers are. */
  get takesOutput(): boolean {
    return this.#current !== undefined && this.#current.allowance > 0;
  }

  /** Output was taken. */
  spend(bytes: number): void {
    if (this.#current !== undefined) this.#current.allowance -= bytes;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#current = undefined;
  }
}
