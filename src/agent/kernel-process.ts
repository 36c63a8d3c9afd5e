import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import {
  encodeJsonFrame,
  type Frame,
  FrameKind,
  frameLength,
  HEADER_BYTES,
  MAX_KERNEL_FRAME_BYTES,
  readFrame,
} from "../protocol/frame.ts";
import type { KernelSpec, LiveForkSpec } from "../protocol/requests.ts";
import { deferred } from "../internal/deferred.ts";

const START_TIMEOUT_MS = 10_000;

/** How a kernel's process ended: its status, or minus the number of the signal that ended it. */
export type ExitStatus = number;

export interface KernelProcessEvents {
  /** One or more whole frames, in the order the kernel sent them. */
  onFrames(block: Buffer): void;
  /** The process has ended, and all that it wrote has been given to `onFrames`. */
  onExit(status: ExitStatus): void;
}

/** The zygote has preloaded packages that have changed since. */
export class StaleZygoteError extends Error {}

/** No process was made, for the error of that name; or it has ended before it took requests, with that status. */
export class NoProcessError extends Error {
  readonly errno: string | undefined;
  readonly status: ExitStatus | undefined;

  constructor({ errno, status }: { readonly errno?: string; readonly status?: ExitStatus | undefined }) {
    super(errno === undefined ? "the kernel's process ended while it started" : `no process could be made: ${errno}`);
    this.errno = errno;
    this.status = status;
  }
}

/** One kernel's process: forked by the zygote or by another kernel, spoken to over a unix socket, signalled as a group. */
export class KernelProcess {
  /** Also the id of its session and of its group. */
  readonly pid: number;
  readonly #socket: Socket;
  readonly #zygotePath: string;
  #released = false;

  private constructor(pid: number, socket: Socket, zygotePath: string) {
    this.pid = pid;
    this.#socket = socket;
    this.#zygotePath = zygotePath;
  }

  /** Has the zygote at `zygotePath` fork a kernel; resolves when the kernel takes requests. */
  static async start(zygotePath: string, spec: KernelSpec | LiveForkSpec, events: KernelProcessEvents): Promise<KernelProcess> {
    const socket = connect(zygotePath);
    const started = deferred<number>();
    const ready = deferred<void>();
    let status: ExitStatus | undefined;
    const splitter = new FrameSplitter((block) => {
      for (const part of partition(block)) {
        if (Buffer.isBuffer(part)) events.onFrames(part);
        else if (part.kind === "started") started.resolve(part.pid);
        else if (part.kind === "ready") ready.resolve();
        else if (part.kind === "exited") status = part.status;
        else if (part.kind === "refused") ready.reject(new NoProcessError({ errno: part.errno }));
        else ready.reject(new StaleZygoteError());
      }
      // The socket stays open until it is released, so that the process's id can't name another.
      if (status !== undefined) socket.destroy();
    });
    let process: KernelProcess | undefined;
    socket.on("data", (chunk) => {
      try {
        splitter.push(chunk);
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.on("error", (error) => {
      ready.reject(error);
    });
    socket.on("close", () => {
      ready.reject(new NoProcessError({ status }));
      if (process !== undefined && !process.#released) {
        process.#released = true;
        process.#kill("SIGKILL");
        events.onExit(status ?? -9);
      }
    });
    socket.write(encodeJsonFrame(FrameKind.request, spec));
    const deadline = new AbortController();
    try {
      await Promise.race([
        ready.promise,
        delay(START_TIMEOUT_MS, undefined, { signal: deadline.signal, ref: false }).then(() => {
          throw new Error(`the kernel did not answer within ${START_TIMEOUT_MS} ms`);
        }),
      ]);
      // The zygote tells it before the process can: a process that runs cells is not believed.
      process = new KernelProcess(await started.promise, socket, zygotePath);
      return process;
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      deadline.abort();
    }
  }

  /** Prepares for a fork of this process, which must then be asked for it; resolves when the new kernel takes requests. */
  fork(kernelId: string, events: KernelProcessEvents): Promise<KernelProcess> {
    return KernelProcess.start(this.#zygotePath, { fork_of: this.pid, kernel_id: kernelId }, events);
  }

  send(frame: Uint8Array): void {
    this.#socket.write(frame);
  }

  /** Sends a signal to the kernel and the processes that its cells have started. */
  signal(signal: NodeJS.Signals): void {
    if (!this.#released) this.#kill(signal);
  }

  /** Stops taking output: the kernel's next print waits. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends the process without a word to `onExit`. */
  release(): void {
    if (this.#released) return;
    this.#kill("SIGKILL");
    this.#released = true;
    this.#socket.destroy();
  }

  #kill(signal: NodeJS.Signals): void {
    for (const target of [-this.pid, this.pid]) {
      try {
        process.kill(target, signal);
        return;
      } catch {
        // No such group: it is just being set up, or all of it has ended.
      }
    }
  }
}

type Part =
  | Buffer
  | { readonly kind: "started"; readonly pid: number }
  | { readonly kind: "ready" }
  | { readonly kind: "exited"; readonly status: ExitStatus }
  | { readonly kind: "refused"; readonly errno: string }
  | { readonly kind: "stale" };

/** What a block holds: frames for the client, and what is meant for the agent itself. */
function* partition(block: Buffer): Generator<Part> {
  let start = 0;
  for (let offset = 0; offset < block.length;) {
    const end = offset + HEADER_BYTES + block.readUInt32LE(offset);
    if (AGENTS_OWN.has(block[offset + 4] as number)) {
      if (offset > start) yield block.subarray(start, offset);
      yield ownPart(readFrame(block, offset));
      start = end;
    }
    offset = end;
  }
  if (start < block.length) yield block.subarray(start);
}

const AGENTS_OWN: ReadonlySet<number> = new Set([
  FrameKind.started,
  FrameKind.ready,
  FrameKind.exited,
  FrameKind.refused,
  FrameKind.stale,
]);

function ownPart({ kind, payload }: Frame): Exclude<Part, Buffer> {
  switch (kind) {
    case FrameKind.started:
      return { kind: "started", pid: payload.readUInt32LE(0) };
    case FrameKind.ready:
      return { kind: "ready" };
    case FrameKind.exited:
      return { kind: "exited", status: payload.readInt32LE(0) };
    case FrameKind.refused:
      return { kind: "refused", errno: payload.toString() };
    default:
      return { kind: "stale" };
  }
}

/** Cuts a byte stream into blocks of whole frames. */
export class FrameSplitter {
  readonly #onBlock: (block: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(onBlock: (block: Buffer) => void) {
    this.#onBlock = onBlock;
  }

  /** Throws when a frame is longer than a kernel's may be: what follows can't be told apart. */
  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let end = 0;
    for (;;) {
      const length = frameLength(bytes, end);
      if (length === undefined) break;
      if (length > MAX_KERNEL_FRAME_BYTES) throw new Error(`a kernel sent a frame of ${length} bytes`);
      if (end + length > bytes.length) break;
      end += length;
    }
    this.#rest = bytes.subarray(end);
    if (end > 0) this.#onBlock(bytes.subarray(0, end));
  }
}
