import type { KernelProcess } from "./kernel-process.ts";

/** Starts a process; what happens in it is told to whom has asked for it. */
type Start = () => Promise<KernelProcess>;

/** The place of a kernel's one process: empty, being filled, or filled. */
export class ProcessSlot {
  #process: KernelProcess | undefined;
  #filling: Promise<KernelProcess> | undefined;
  #closed = false;

  get process(): KernelProcess | undefined {
    return this.#process;
  }

  /** The process, which is started unless it runs or is about to; `onFilled` is called before anybody else has it. */
  async fill(start: Start, onFilled: (process: KernelProcess) => void): Promise<KernelProcess> {
    if (this.#process !== undefined) return this.#process;
    this.#filling ??= this.#fill(start, onFilled).finally(() => {
      this.#filling = undefined;
    });
    return this.#filling;
  }

  /** The process has ended. */
  onGone(): void {
    this.#process = undefined;
  }

  /** Ends the process, if there is one; whether there was. One that is being started has run nothing yet, and stays. */
  empty(): boolean {
    const process = this.#process;
    this.#process = undefined;
    process?.release();
    return process !== undefined;
  }

  /** Ends the process, also one that is still being started. */
  close(): void {
    this.#closed = true;
    this.empty();
  }

  async #fill(start: Start, onFilled: (process: KernelProcess) => void): Promise<KernelProcess> {
    const process = await start();
    if (this.#closed) {
      process.release();
      throw new Error("the kernel was removed while its process was started");
    }
    this.#process = process;
    onFilled(process);
    return process;
  }
}
