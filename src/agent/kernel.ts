import { encodeFrame, encodeJsonFrame, FrameFlag, FrameKind } from "../protocol/frame.ts";
import type { LifecycleMessage } from "../protocol/lifecycle.ts";
import { KernelStartError } from "./bounds.ts";
import { Escalation } from "./escalation.ts";
import { countOomKills, describeExit, type FullDisk } from "./exit.ts";
import type { KernelProcess, KernelProcessEvents } from "./kernel-process.ts";
import type { ExitStatus } from "./kernel-socket.ts";
import { readMemoryState } from "./memory.ts";
import { mergeStreams } from "./merge.ts";
import { Output } from "./output.ts";
import { ProcessSlot } from "./process-slot.ts";
import type { ReplayBudget } from "./replay-budget.ts";
import { Stamp } from "./stamp.ts";
import { abortTask, failTask, type Task, TaskQueue } from "./tasks.ts";

/** Starts a kernel's process; the registry knows how. */
export type StartProcess = (events: KernelProcessEvents) => Promise<KernelProcess>;

/**
 * What a kernel does. A task begins in `starting`, when there is no process yet, and in `running` otherwise; it is
 * not sent before that. In both, only `#settle` lets it go. Nothing leaves `closed`.
 */
type State =
  | { readonly kind: "idle" }
  | { readonly kind: "starting"; readonly task: Task }
  /** The process may have ended, and why is just being found out. */
  | { readonly kind: "running"; readonly task: Task; readonly oomKills: number }
  /** A new process is started for the resets of these numbers. */
  | { readonly kind: "resetting"; readonly numbers: number[] }
  | { readonly kind: "closed" };

/**
 * A kernel as its clients know it: it has an id, does one task at a time, keeps what they gave for
 * clients that come back, and outlives its process.
 */
export class Kernel {
  readonly id: string;
  readonly output: Output;
  readonly #startProcess: StartProcess;
  readonly #tasks = new TaskQueue();
  readonly #slot = new ProcessSlot();
  readonly #stamp = new Stamp();
  readonly #escalation = new Escalation();
  /** What each client exposes, as the process is told it. */
  readonly #exposed = new Map<string, Buffer>();
  #state: State = { kind: "idle" };
  #stateLost = false;
  /** Why its process was ended, if it was for that. */
  #fullDisk: FullDisk | undefined;
  /** When the last task ended. */
  idleSince: number = Date.now();

  constructor(id: string, startProcess: StartProcess, budget: ReplayBudget) {
    this.id = id;
    this.#startProcess = startProcess;
    this.output = new Output(() => this.#balance(), budget);
  }

  /** Whether a cell runs or waits. */
  get busy(): boolean {
    return (this.#state.kind !== "idle" && this.#state.kind !== "closed") || this.#tasks.waiting > 0;
  }

  /** The id of its process, as long as one runs. */
  get pid(): number | undefined {
    return this.#slot.process?.pid;
  }

  /** Ends its process, because that has filled the disk. */
  endForDisk(disk: FullDisk): void {
    if (this.#slot.process === undefined) return;
    this.#fullDisk = disk;
    this.#slot.process.kill();
  }

  /** Has a process started unless one runs; rejects when that fails. */
  async start(startProcess: StartProcess = this.#startProcess): Promise<void> {
    const events: KernelProcessEvents = {
      onFrames: (block) => this.#onFrames(mergeStreams(block)),
      onBegun: (execution) => this.#escalation.onBegun(execution),
      onExit: (status, killed) => void this.#onExit(status, killed),
    };
    await this.#slot.fill(
      () => startProcess(events),
      (process) => {
        for (const request of this.#exposed.values()) process.send(request);
      },
    );
  }

  /** Whether a task of that number was ever given. */
  knows(number: number): boolean {
    return this.#tasks.knows(number);
  }

  /** Does a task after those before it. One that was given before is not done again: its end is repeated. */
  enqueue(task: Task): void {
    if (this.#tasks.knows(task.number)) {
      this.resume(task.number);
      return;
    }
    const waits = this.busy;
    this.#tasks.push(task);
    if (waits) this.output.emit({ type: "execution_queued" }, task.number);
    void this.#next();
  }

  /** Makes sure that a client which knows of a task gets its end. */
  resume(number: number): void {
    const resets = this.#state.kind === "resetting" && this.#state.numbers.includes(number);
    const comes = resets || this.#tasks.waitsFor(number) || this.#task?.number === number;
    if (!comes) this.output.repeatEnd(number);
  }

  /** Interrupts a task: SIGINT, and in the end SIGKILL. One that was not sent is not run at all. */
  interrupt(number: number): void {
    const waiting = this.#tasks.take(number);
    if (waiting !== undefined) {
      abortTask(this.output, waiting, "interrupted");
    } else if (this.#state.kind === "starting" && this.#state.task.number === number) {
      const { task } = this.#state;
      this.#settle();
      abortTask(this.output, task, "interrupted");
      this.#goOn();
    } else if (this.#state.kind === "running" && this.#state.task.number === number && this.#slot.process !== undefined) {
      this.#escalation.begin(this.#slot.process, number);
      this.#balance();
    }
  }

  /** Gives the running cell what it has asked for by a question of that number. */
  answer(number: number, question: number, reply: Buffer): void {
    if (this.#state.kind !== "running" || this.#state.task.number !== number) return;
    this.output.emit({ type: "input_answered", number: question }, number);
    this.#slot.process?.send(encodeFrame(FrameKind.request, reply, number));
  }

  /** Hands the process what is about calls of host functions: they need not be the running cell's. */
  relay(frame: Buffer): void {
    this.#slot.process?.send(frame);
  }

  /** Has a client expose what it exposes, in its turn, and from then on in each new process before anything else. */
  expose(client: string, number: number, kind: number, request: Buffer): void {
    this.enqueue({
      number,
      frame: encodeFrame(kind, request, number),
      stopOnError: false,
      isCell: false,
      prepare: () => void this.#exposed.set(client, encodeFrame(kind, request)),
    });
  }

  /** A client does not come back: calls of what it has exposed fail. */
  leave(client: string): void {
    if (!this.#exposed.delete(client)) return;
    this.#slot.process?.send(encodeJsonFrame(FrameKind.request, { type: "client_left", client }));
  }

  /** Ends what runs, aborts what waits, and starts a new process. What is given after it runs in that one. */
  reset(number: number): void {
    if (this.#tasks.knows(number)) {
      this.resume(number);
      return;
    }
    if (this.#state.kind === "closed") return;
    this.#tasks.remember(number);
    for (const task of this.#tasks.takeAll()) abortTask(this.output, task, "reset");
    if (this.#slot.empty()) this.#stateLost = true;
    const task = this.#task;
    if (task !== undefined) {
      this.#settle();
      failTask(this.output, task, { type: "kernel_died", reason: "reset", exitCode: null, signal: null });
    }
    if (this.#state.kind === "resetting") {
      this.#state.numbers.push(number); // nothing has run in the new process yet
    } else {
      this.#state = { kind: "resetting", numbers: [number] };
      void this.#startAnew(this.#state.numbers);
    }
  }

  /** Ends process and connections. */
  close(code: string, message: string): void {
    this.#settle();
    this.#state = { kind: "closed" };
    this.#slot.close();
    this.output.close(code, message);
  }

  /** What is done now. */
  get #task(): Task | undefined {
    return this.#state.kind === "starting" || this.#state.kind === "running" ? this.#state.task : undefined;
  }

  /** From `resetting` to `idle`. */
  async #startAnew(numbers: readonly number[]): Promise<void> {
    let outcome: LifecycleMessage = { type: "reset_reply" };
    try {
      await this.start();
    } catch (error) {
      outcome = startFailed(error);
    }
    if (this.#state.kind !== "resetting") return;
    this.#settle();
    for (const number of numbers) this.output.emit(outcome, number, FrameFlag.last);
    this.#goOn();
  }

  /** From `idle`, by `starting` where there is no process, to `running`. */
  async #next(): Promise<void> {
    if (this.#state.kind !== "idle") return;
    const task = this.#tasks.shift();
    if (task === undefined) return;
    this.#stamp.begin(task.number);
    if (this.#slot.process === undefined) {
      const starting: State = { kind: "starting", task };
      this.#state = starting;
      let failure: LifecycleMessage | undefined;
      await this.start().catch((error: unknown) => (failure = startFailed(error)));
      if (this.#state !== starting) return; // aborted, reset, or ended with its process
      if (failure !== undefined) {
        this.#end(task, failure);
        return;
      }
    }
    this.#run(task);
  }

  #run(task: Task): void {
    const { process } = this.#slot;
    if (process === undefined) return; // it has ended at once, which `#onExit` tells
    this.#state = { kind: "running", task, oomKills: countOomKills() };
    if (this.#stateLost && task.isCell) {
      this.#stateLost = false;
      this.output.emit({ type: "kernel_restarted" }, task.number);
    }
    task.prepare?.(process);
    process.send(task.frame);
  }

  /** Back to `idle`; what was done is done, whatever is told of it. */
  #settle(): void {
    this.#state = { kind: "idle" };
    this.#stamp.end();
    this.#escalation.end();
    this.idleSince = Date.now();
  }

  /** Does what waits. */
  #goOn(): void {
    const next = this.#tasks.first;
    if (next !== undefined) this.output.emit({ type: "execution_started" }, next.number);
    void this.#next();
  }

  /** The task has ended without a word of its own. */
  #end(task: Task, message: LifecycleMessage): void {
    this.#settle();
    failTask(this.output, task, message);
    this.#abortFollowing(task, true);
    this.#goOn();
  }

  #abortFollowing(task: Task, failed: boolean): void {
    if (!failed || !task.stopOnError) return;
    for (const following of this.#tasks.takeAll()) abortTask(this.output, following, "stopOnError");
  }

  #onFrames(block: Buffer): void {
    const task = this.#task;
    const stamped = this.#stamp.apply(block, this.output.nextSequence);
    if (stamped === undefined) {
      this.#slot.process?.kill();
      return;
    }
    this.#escalation.spend(block.length);
    const { frames, ended } = stamped;
    if (task === undefined || ended === undefined) {
      this.output.publish(block, frames);
      return;
    }
    this.output.ended(task.number, ended.end);
    this.output.publish(block, frames);
    this.#settle();
    task.onEnd?.(ended.failed);
    this.#abortFollowing(task, ended.failed);
    this.#goOn();
    this.#balance(); // the escalation has ended
  }

  async #onExit(status: ExitStatus, killed: boolean): Promise<void> {
    const state = this.#state;
    const disk = this.#fullDisk;
    this.#fullDisk = undefined;
    this.#slot.onGone();
    this.#stateLost = true;
    this.#escalation.end();
    if (state.kind !== "starting" && state.kind !== "running") return;
    const oomKills = state.kind === "running" ? state.oomKills : 0;
    const death = describeExit(status, await readMemoryState(), { killed, oomKills, disk });
    if (this.#state === state) this.#end(state.task, death);
  }

  #balance(): void {
    if (this.output.full && !this.#escalation.takesOutput) this.#slot.process?.pause();
    else this.#slot.process?.resume();
  }
}

function startFailed(error: unknown): LifecycleMessage {
  const message = error instanceof Error ? error.message : String(error);
  return { type: "kernel_start_failed", message, bound: error instanceof KernelStartError ? error.bound : undefined };
}
