import {
  encodeFrame,
  encodeJsonFrame,
  endsExecution,
  FrameFlag,
  FrameKind,
  HEADER_BYTES,
  writeSequence,
} from "../protocol/frame.ts";
import type { LifecycleMessage } from "../protocol/lifecycle.ts";
import { KernelStartError } from "./bounds.ts";
import { Escalation } from "./escalation.ts";
import { describeExit, type FullDisk } from "./exit.ts";
import type { ExitStatus, KernelProcess, KernelProcessEvents } from "./kernel-process.ts";
import { readMemoryState } from "./memory.ts";
import { Output } from "./output.ts";

/** So many executions are remembered, so that one that is sent again is not run again. */
const REMEMBERED_EXECUTIONS = 4_096;

/** Longer ends of executions are not worth keeping twice. */
const MAX_KEPT_END_BYTES = 256 * 1024;

/** What a kernel may send. */
const KERNELS_OWN: ReadonlySet<number> = new Set([FrameKind.stdout, FrameKind.stderr, FrameKind.message, FrameKind.call]);

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
}

/** Starts a kernel's process; the registry knows how. */
export type StartProcess = (events: KernelProcessEvents) => Promise<KernelProcess>;

/**
 * A kernel as its clients know it: it has an id, does one task at a time, keeps what they gave for
 * clients that come back, and outlives its process.
 */
export class Kernel {
  readonly id: string;
  readonly output: Output;
  readonly #startProcess: StartProcess;
  readonly #known = new Set<number>();
  readonly #escalation = new Escalation();
  #queue: Task[] = [];
  #current: Task | undefined;
  /** Raw output between cells belongs to the last one. */
  #last = 0;
  /** What has come of the message that ends the current task. */
  #end: { readonly sequence: number; readonly frames: Buffer[]; bytes: number } | undefined;
  #process: KernelProcess | undefined;
  #starting: Promise<void> | undefined;
  readonly #resetting = new Set<number>();
  /** What each client exposes, as the process is told it. */
  readonly #exposed = new Map<string, Buffer>();
  #stateLost = false;
  #closed = false;
  /** Why its process was ended, if it was for that. */
  #fullDisk: FullDisk | undefined;
  /** When the last task ended. */
  idleSince: number = Date.now();

  constructor(id: string, startProcess: StartProcess) {
    this.id = id;
    this.#startProcess = startProcess;
    this.output = new Output(() => this.#balance());
  }

  /** Whether a cell runs or waits. */
  get busy(): boolean {
    return this.#current !== undefined || this.#queue.length > 0;
  }

  /** The id of its process, as long as one runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Ends its process, because that has filled the disk. */
  endForDisk(disk: FullDisk): void {
    if (this.#process === undefined) return;
    this.#fullDisk = disk;
    this.#process.signal("SIGKILL");
  }

  /** Has a process started unless one runs; rejects when that fails. */
  async start(startProcess: StartProcess = this.#startProcess): Promise<void> {
    if (this.#process !== undefined) return;
    this.#starting ??= this.#start(startProcess).finally(() => {
      this.#starting = undefined;
    });
    await this.#starting;
  }

  /** Whether a task of that number was ever given. */
  knows(number: number): boolean {
    return this.#known.has(number);
  }

  /** Does a task after those before it. One that was given before is not done again: its end is repeated. */
  enqueue(task: Task): void {
    if (this.#known.has(task.number)) {
      this.resume(task.number);
      return;
    }
    this.#remember(task.number);
    const waits = this.busy;
    this.#queue.push(task);
    if (waits) this.output.emit({ type: "execution_queued" }, task.number);
    void this.#next();
  }

  /** Makes sure that a client which knows of a task gets its end. */
  resume(number: number): void {
    const waits = this.#queue.some((task) => task.number === number) || this.#resetting.has(number);
    if (!waits && this.#current?.number !== number) this.output.repeatEnd(number);
  }

  /** Interrupts a task: SIGINT, and in the end SIGKILL. One that waits is taken from the queue. */
  interrupt(number: number): void {
    const waiting = this.#queue.findIndex((task) => task.number === number);
    if (waiting >= 0) {
      this.#queue.splice(waiting, 1);
      this.output.emit({ type: "execution_aborted", reason: "interrupted" }, number, FrameFlag.last);
    } else if (this.#current?.number === number && this.#process !== undefined) {
      this.#escalation.begin(this.#process);
    }
  }

  /** Gives the running cell what it has asked for. */
  answer(number: number, reply: Buffer): void {
    if (this.#current?.number === number) this.#process?.send(encodeFrame(FrameKind.request, reply, number));
  }

  /** Hands the process what is about calls of host functions: they need not be the running cell's. */
  relay(frame: Buffer): void {
    this.#process?.send(frame);
  }

  /** Has a client expose what it exposes, in its turn, and from then on in each new process before anything else. */
  expose(client: string, number: number, kind: number, request: Buffer): void {
    this.enqueue({
      number,
      frame: encodeFrame(kind, request, number),
      stopOnError: false,
      isCell: false,
      prepare: () => this.#exposed.set(client, encodeFrame(kind, request)),
    });
  }

  /** A client does not come back: calls of what it has exposed fail. */
  leave(client: string): void {
    if (!this.#exposed.delete(client)) return;
    this.#process?.send(encodeJsonFrame(FrameKind.request, { type: "client_left", client }));
  }

  /** Ends what runs, aborts what waits, and starts a new process. */
  async reset(number: number): Promise<void> {
    if (this.#known.has(number)) {
      this.resume(number);
      return;
    }
    this.#remember(number);
    this.#resetting.add(number);
    await this.#starting?.catch(() => undefined);
    for (const task of this.#queue.splice(0)) {
      this.output.emit({ type: "execution_aborted", reason: "reset" }, task.number, FrameFlag.last);
    }
    this.#process?.release();
    if (this.#process !== undefined) this.#onGone();
    if (this.#current !== undefined) {
      const died = { type: "kernel_died", reason: "reset", exitCode: null, signal: null } as const;
      this.output.emit(died, this.#current.number, FrameFlag.last);
      this.#current = undefined;
      this.#end = undefined;
    }
    this.idleSince = Date.now();
    try {
      await this.start();
      this.output.emit({ type: "reset_reply" }, number, FrameFlag.last);
    } catch (error) {
      if (!this.#closed) this.output.emit(startFailed(error), number, FrameFlag.last);
    }
    this.#resetting.delete(number);
    this.idleSince = Date.now();
    void this.#next();
  }

  /** Ends process and connections. */
  close(code: string, message: string): void {
    this.#closed = true;
    this.#escalation.end();
    this.#process?.release();
    this.#process = undefined;
    this.output.close(code, message);
  }

  async #next(): Promise<void> {
    if (this.#current !== undefined || this.#closed) return;
    const task = this.#queue.shift();
    if (task === undefined) return;
    this.#current = task;
    this.#last = task.number;
    try {
      await this.start();
    } catch (error) {
      if (this.#closed || this.#current !== task) return;
      this.output.emit(startFailed(error), task.number, FrameFlag.last);
      this.#finish(task, true);
      return;
    }
    // Meanwhile it may have been reset, or ended with its process.
    if (this.#closed || this.#current !== task || this.#process === undefined) return;
    if (this.#stateLost && task.isCell) {
      this.#stateLost = false;
      this.output.emit({ type: "kernel_restarted" }, task.number);
    }
    task.prepare?.(this.#process);
    this.#process.send(task.frame);
  }

  async #start(startProcess: StartProcess): Promise<void> {
    const process = await startProcess({
      onFrames: (block) => this.#onFrames(block),
      onExit: (status) => void this.#onExit(status),
    });
    if (this.#closed) {
      process.release();
      return;
    }
    this.#process = process;
    for (const request of this.#exposed.values()) process.send(request);
  }

  #onFrames(block: Buffer): void {
    const first = this.output.nextSequence;
    let frames = 0;
    let finished: { readonly task: Task; readonly failed: boolean } | undefined;
    for (let offset = 0; offset < block.length;) {
      const [kind, flags] = [block[offset + 4] as number, block[offset + 5] as number];
      const execution = block.readUInt32LE(offset + 8);
      if (!KERNELS_OWN.has(kind)) {
        this.#process?.signal("SIGKILL"); // a cell has written to the kernel's own socket
        return;
      }
      if (execution === 0) {
        block.writeUInt32LE(this.#last, offset + 8);
        if (this.#current === undefined || finished !== undefined) block[offset + 5] = flags | FrameFlag.late;
      }
      const length = HEADER_BYTES + block.readUInt32LE(offset);
      writeSequence(block, offset, first + frames);
      if (kind === FrameKind.message && (flags & FrameFlag.last) !== 0 && execution === this.#current?.number) {
        this.#keepEnd(block.subarray(offset, offset + length), first + frames);
        if (endsExecution(flags)) finished = { task: this.#current, failed: (flags & FrameFlag.failed) !== 0 };
      }
      frames += 1;
      offset += length;
    }
    if (finished !== undefined && this.#end !== undefined) {
      const { sequence, frames, bytes } = this.#end;
      this.output.ended(finished.task.number, {
        sequence,
        frames: bytes <= MAX_KEPT_END_BYTES ? Buffer.concat(frames) : undefined,
      });
    }
    this.output.publish(block, frames);
    if (finished !== undefined) this.#finish(finished.task, finished.failed);
  }

  #keepEnd(frame: Buffer, sequence: number): void {
    this.#end ??= { sequence, frames: [], bytes: 0 };
    this.#end.bytes += frame.length;
    if (this.#end.bytes <= MAX_KEPT_END_BYTES) this.#end.frames.push(Buffer.from(frame));
  }

  #finish(task: Task, failed: boolean): void {
    this.#current = undefined;
    this.#end = undefined;
    this.idleSince = Date.now();
    this.#escalation.end();
    if (failed && task.stopOnError) {
      for (const { number } of this.#queue.splice(0)) {
        this.output.emit({ type: "execution_aborted", reason: "stopOnError" }, number, FrameFlag.last);
      }
    }
    const next = this.#queue[0];
    if (next !== undefined) this.output.emit({ type: "execution_started" }, next.number);
    void this.#next();
  }

  /** The process is gone, and with it what cells have set. */
  #onGone(): void {
    this.#process = undefined;
    this.#stateLost = true;
    this.#escalation.end();
  }

  async #onExit(status: ExitStatus): Promise<void> {
    const task = this.#current;
    this.#onGone();
    const disk = this.#fullDisk;
    this.#fullDisk = undefined;
    const death = describeExit(status, await readMemoryState(), disk);
    if (task === undefined || this.#closed || this.#current !== task) return;
    this.output.emit(death, task.number, FrameFlag.last);
    this.#finish(task, true);
  }

  #balance(): void {
    if (this.output.full) this.#process?.pause();
    else this.#process?.resume();
  }

  #remember(number: number): void {
    this.#known.add(number);
    // What waits is never forgotten: it is among the last.
    if (this.#known.size > REMEMBERED_EXECUTIONS + this.#queue.length) {
      this.#known.delete(this.#known.values().next().value as number);
    }
  }
}

function startFailed(error: unknown): LifecycleMessage {
  const message = error instanceof Error ? error.message : String(error);
  return { type: "kernel_start_failed", message, bound: error instanceof KernelStartError ? error.bound : undefined };
}
