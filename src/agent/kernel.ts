import { constants } from "node:os";
import {
  encodeFrame,
  encodeMessageFrame,
  FrameFlag,
  FrameKind,
  frameLength,
  readFrame,
  writeSequence,
} from "../protocol/frame.ts";
import type { KernelDiedMessage, LifecycleMessage } from "../protocol/lifecycle.ts";
import type { Connection } from "./connection.ts";
import { type ExitStatus, KernelProcess, type KernelProcessEvents } from "./kernel-process.ts";
import { readMemoryState } from "./memory.ts";
import { ReplayBuffer } from "./replay.ts";

/** After an interrupt: when it is repeated, and when the process is ended instead. */
const INTERRUPT_AGAIN_MS = 1_500;
const KILL_AFTER_MS = 3_000;

/** So many executions are remembered, so that one that is sent again is not run again. */
const REMEMBERED_EXECUTIONS = 4_096;

interface Execution {
  readonly number: number;
  readonly request: Buffer;
  readonly stopOnError: boolean;
}

/** Starts a kernel's process; the registry knows how. */
export type StartProcess = (events: KernelProcessEvents) => Promise<KernelProcess>;

/**
 * A kernel as its clients know it: it has an id, runs one execution at a time, keeps what they gave
 * for clients that come back, and outlives its process.
 */
export class Kernel {
  readonly id: string;
  readonly #startProcess: StartProcess;
  readonly #replay = new ReplayBuffer();
  readonly #connections = new Set<Connection>();
  readonly #known = new Set<number>();
  #queue: Execution[] = [];
  #current: Execution | undefined;
  /** Raw output between cells belongs to the last one. */
  #last = 0;
  #nextSequence = 1;
  #process: KernelProcess | undefined;
  #stateLost = false;
  #oomKills = 0;
  #escalation: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(id: string, startProcess: StartProcess) {
    this.id = id;
    this.#startProcess = startProcess;
  }

  /** Whether a cell runs or waits. */
  get busy(): boolean {
    return this.#current !== undefined || this.#queue.length > 0;
  }

  /** Starts the first process; rejects when that fails. */
  async start(): Promise<void> {
    await this.#ensureProcess();
  }

  /** Sends a client what it misses since `sequence`, then all that follows. */
  attach(connection: Connection, sequence: number): void {
    const oldest = this.#replay.oldest ?? this.#nextSequence;
    connection.control({ type: "ready", kernelId: this.id, nextSequence: Math.max(oldest, sequence + 1) });
    for (const block of this.#replay.after(sequence)) connection.send(block);
    this.#connections.add(connection);
    this.#balance();
  }

  detach(connection: Connection): void {
    this.#connections.delete(connection);
    this.#balance();
  }

  /** Runs a cell after those before it. A number that was seen before is ignored. */
  execute(number: number, request: Buffer, stopOnError: boolean): void {
    if (this.#known.has(number)) return;
    this.#remember(number);
    const waits = this.#current !== undefined || this.#queue.length > 0;
    this.#queue.push({ number, request: encodeFrame(FrameKind.request, request, number), stopOnError });
    if (waits) this.#emit({ type: "execution_queued" }, number);
    void this.#next();
  }

  /** Interrupts an execution: SIGINT, and in the end SIGKILL. One that waits is taken from the queue. */
  interrupt(number: number): void {
    const waiting = this.#queue.findIndex((execution) => execution.number === number);
    if (waiting >= 0) {
      this.#queue.splice(waiting, 1);
      this.#emit({ type: "execution_aborted", reason: "interrupted" }, number, FrameFlag.last);
      return;
    }
    if (this.#current?.number !== number || this.#escalation !== undefined) return;
    const process = this.#process;
    process?.signal("SIGINT");
    this.#escalation = setTimeout(() => {
      process?.signal("SIGINT");
      this.#escalation = setTimeout(() => process?.signal("SIGKILL"), KILL_AFTER_MS - INTERRUPT_AGAIN_MS);
    }, INTERRUPT_AGAIN_MS);
  }

  /** Ends process and connections. */
  close(code: string, message: string): void {
    this.#closed = true;
    clearTimeout(this.#escalation);
    this.#process?.release();
    this.#process = undefined;
    for (const connection of this.#connections) connection.close(code, message);
    this.#connections.clear();
  }

  /** Called when a connection takes output again: a slow reader slows the cell, and only that. */
  readonly onDrain = (): void => {
    this.#balance();
  };

  async #next(): Promise<void> {
    if (this.#current !== undefined || this.#closed) return;
    const execution = this.#queue.shift();
    if (execution === undefined) return;
    this.#current = execution;
    this.#last = execution.number;
    if (this.#process === undefined) {
      try {
        await this.#ensureProcess();
      } catch (error) {
        if (this.#closed) return;
        this.#current = undefined;
        const message = error instanceof Error ? error.message : String(error);
        this.#emit({ type: "kernel_start_failed", message }, execution.number, FrameFlag.last);
        return this.#next();
      }
      if (this.#closed) return;
    }
    if (this.#stateLost) {
      this.#stateLost = false;
      this.#emit({ type: "kernel_restarted" }, execution.number);
    }
    this.#process?.send(execution.request);
  }

  async #ensureProcess(): Promise<void> {
    if (this.#process !== undefined) return;
    this.#oomKills = (await readMemoryState()).oomKills;
    let process: KernelProcess | undefined;
    process = await this.#startProcess({
      onFrames: (block) => this.#onFrames(block),
      onExit: (status) => {
        if (this.#process !== undefined && this.#process !== process) return;
        void this.#onExit(status);
      },
    });
    if (this.#closed) process.release();
    else this.#process = process;
  }

  #onFrames(block: Buffer): void {
    const first = this.#nextSequence;
    let finished: Execution | undefined;
    let failed = false;
    for (let offset = 0; offset < block.length;) {
      const { kind, flags, execution } = readFrame(block, offset);
      if (kind !== FrameKind.stdout && kind !== FrameKind.stderr && kind !== FrameKind.message) {
        this.#process?.signal("SIGKILL"); // a cell has written to the kernel's own socket
        return;
      }
      if (execution === 0) {
        block.writeUInt32LE(this.#last, offset + 8);
        if (this.#current === undefined || finished !== undefined) block[offset + 5] = flags | FrameFlag.late;
      }
      if ((flags & FrameFlag.last) !== 0 && execution === this.#current?.number) {
        finished = this.#current;
        failed = (flags & FrameFlag.failed) !== 0;
      }
      writeSequence(block, offset, this.#nextSequence);
      this.#nextSequence += 1;
      offset += frameLength(block, offset) as number;
    }
    this.#publish(block, first);
    if (finished !== undefined) this.#finish(finished, failed);
  }

  #finish(execution: Execution, failed: boolean): void {
    this.#current = undefined;
    clearTimeout(this.#escalation);
    this.#escalation = undefined;
    if (failed && execution.stopOnError) {
      for (const { number } of this.#queue.splice(0)) {
        this.#emit({ type: "execution_aborted", reason: "stopOnError" }, number, FrameFlag.last);
      }
    }
    const next = this.#queue[0];
    if (next !== undefined) this.#emit({ type: "execution_started" }, next.number);
    void this.#next();
  }

  async #onExit(status: ExitStatus): Promise<void> {
    this.#process = undefined;
    this.#stateLost = true;
    const memory = await readMemoryState();
    const execution = this.#current;
    if (execution === undefined || this.#closed) return;
    this.#emit(describeExit(status, memory, memory.oomKills > this.#oomKills), execution.number, FrameFlag.last);
    this.#finish(execution, true);
  }

  #emit(message: LifecycleMessage, execution: number, flags = 0): void {
    const frame = encodeMessageFrame(message, execution, flags);
    writeSequence(frame, 0, this.#nextSequence);
    this.#nextSequence += 1;
    this.#publish(frame, this.#nextSequence - 1);
  }

  #publish(block: Buffer, first: number): void {
    this.#replay.push(block, first, this.#nextSequence - 1);
    for (const connection of this.#connections) connection.send(block);
    this.#balance();
  }

  #balance(): void {
    const full = [...this.#connections].some((connection) => connection.full);
    if (full) this.#process?.pause();
    else this.#process?.resume();
  }

  #remember(number: number): void {
    this.#known.add(number);
    if (this.#known.size > REMEMBERED_EXECUTIONS) {
      for (const oldest of this.#known) {
        this.#known.delete(oldest);
        break;
      }
    }
  }
}

function describeExit(
  status: ExitStatus,
  memory: { readonly limitBytes: number | undefined; readonly peakBytes: number | undefined },
  oom: boolean,
): KernelDiedMessage {
  if (status >= 0) return { type: "kernel_died", reason: "exited", exitCode: status, signal: null };
  const signal = Object.entries(constants.signals).find(([, number]) => number === -status)?.[0] ?? `${-status}`;
  return signal === "SIGKILL" && oom
    ? {
        type: "kernel_died",
        reason: "oom",
        exitCode: null,
        signal,
        limitBytes: memory.limitBytes,
        peakBytes: memory.peakBytes,
      }
    : { type: "kernel_died", reason: "signalled", exitCode: null, signal };
}
