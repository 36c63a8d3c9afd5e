import { FrameFlag } from "../protocol/frame.ts";
import type { LifecycleMessage } from "../protocol/lifecycle.ts";
import type { KernelProcess } from "./kernel-process.ts";
import type { Output } from "./output.ts";

/** So many executions are remembered, so that one that is sent again is not run again. */
const REMEMBERED_EXECUTIONS = 4_096;

/** Something to do for a client, in its turn. */
export interface Task {
  readonly number: number;
  /** What the kernel's process is sent. */
  readonly frame: Buffer;
  readonly stopOnError: boolean;
  /** Whether it has a result, which tells that cells before it are forgotten. */
  readonly isCell: boolean;
  /** Called right before the frame is sent. */
  readonly prepare?: (process: KernelProcess) => void;
  /** Called when it has ended, or will not be done. */
  readonly onEnd?: (failed: boolean) => void;
}

/** The tasks that wait, and the numbers of all that were given. */
export class TaskQueue {
  #queue: Task[] = [];
  readonly #known = new Set<number>();

  get waiting(): number {
    return this.#queue.length;
  }

  get first(): Task | undefined {
    return this.#queue[0];
  }

  knows(number: number): boolean {
    return this.#known.has(number);
  }

  waitsFor(number: number): boolean {
    return this.#queue.some((task) => task.number === number);
  }

  push(task: Task): void {
    this.remember(task.number);
    this.#queue.push(task);
  }

  shift(): Task | undefined {
    return this.#queue.shift();
  }

  /** Takes the task of that number out, if it waits. */
  take(number: number): Task | undefined {
    const index = this.#queue.findIndex((task) => task.number === number);
    return index < 0 ? undefined : this.#queue.splice(index, 1)[0];
  }

  takeAll(): readonly Task[] {
    return this.#queue.splice(0);
  }

  /** A number is taken. */
  remember(number: number): void {
    this.#known.add(number);
    // What waits is never forgotten: it is among the last.
    if (this.#known.size > REMEMBERED_EXECUTIONS + this.#queue.length) {
      this.#known.delete(this.#known.values().next().value as number);
    }
  }
}

/** Tells that a task was not done. */
export function abortTask(output: Output, task: Task, reason: "interrupted" | "reset" | "stopOnError"): void {
  failTask(output, task, { type: "execution_aborted", reason });
}

/** Tells that a task has not ended by itself. */
export function failTask(output: Output, task: Task, message: LifecycleMessage): void {
  output.emit(message, task.number, FrameFlag.last);
  task.onEnd?.(true);
}
