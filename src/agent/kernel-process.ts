import { connect, type Socket } from "node:net";
import { encodeJsonFrame, FrameKind } from "../protocol/frame.ts";
import type { KernelSpec, LiveForkSpec } from "../protocol/requests.ts";
import { deferred } from "../internal/deferred.ts";
import { type ExitStatus, FrameSplitter, partition } from "./kernel-socket.ts";

const START_TIMEOUT_MS = 10_000;

export interface KernelProcessEvents {
  /** One or more whole frames, in the order the kernel sent them. */
  onFrames(block: Buffer): void;
  /** A SIGINT came too early for what was to begin; now that execution has begun. */
  onBegun(execution: number): void;
  /** The process has ended, and all that it wrote has been given to `onFrames`. `killed` when the agent has sent it SIGKILL. */
  onExit(status: ExitStatus, killed: boolean): void;
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
  readonly #zygotePath: string;
  readonly #events: KernelProcessEvents;
  readonly #socket: Socket;
  /** Resolves when the process takes requests and its id is known. */
  readonly #up = deferred<void>();
  #isReady = false;
  /** The zygote tells it first: a process that runs cells is not believed. */
  #pid: number | undefined;
  /** Who waits for its end is told of it: it takes requests. */
  #isKnown = false;
  #status: ExitStatus | undefined;
  #killed = false;
  #released = false;

  private constructor(zygotePath: string, events: KernelProcessEvents) {
    this.#zygotePath = zygotePath;
    this.#events = events;
    this.#socket = connect(zygotePath);
    const splitter = new FrameSplitter((block) => this.#receive(block));
    this.#socket.on("data", (chunk) => {
      try {
        splitter.push(chunk);
      } catch (error) {
        this.#kill();
        this.#socket.destroy(error as Error);
      }
    });
    this.#socket.on("error", (error) => this.#up.reject(error));
    this.#socket.on("close", () => this.#onClose());
  }

  /** Has the zygote at `zygotePath` fork a kernel; resolves when the kernel takes requests. */
  static async start(zygotePath: string, spec: KernelSpec | LiveForkSpec, events: KernelProcessEvents): Promise<KernelProcess> {
    const process = new KernelProcess(zygotePath, events);
    process.#socket.write(encodeJsonFrame(FrameKind.request, spec));
    const late = setTimeout(() => {
      process.#up.reject(new Error(`the kernel did not answer within ${START_TIMEOUT_MS} ms`));
    }, START_TIMEOUT_MS);
    try {
      await process.#up.promise;
      process.#isKnown = true;
      return process;
    } catch (error) {
      process.release();
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  /** Also the id of its session and of its group; known once it takes requests. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** Prepares for a fork of this process, which must then be asked for it; resolves when the new kernel takes requests. */
  fork(kernelId: string, events: KernelProcessEvents): Promise<KernelProcess> {
    const spec: LiveForkSpec = { fork_of: this.#pid as number, kernel_id: kernelId };
    return KernelProcess.start(this.#zygotePath, spec, events);
  }

  send(frame: Uint8Array): void {
    this.#socket.write(frame);
  }

  /** Sends SIGINT to the kernel and the processes that its cells have started. */
  interrupt(): void {
    this.#signal("SIGINT");
  }

  /** Sends SIGKILL likewise; its end is told as any other. */
  kill(): void {
    if (!this.#released) this.#killed = true;
    this.#kill();
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
    this.#kill();
    this.#released = true;
    this.#socket.destroy();
  }

  #receive(block: Buffer): void {
    for (const part of partition(block)) {
      if (this.#released) return;
      if (Buffer.isBuffer(part)) this.#events.onFrames(part);
      else if (part.kind === "started") this.#pid ??= part.pid;
      else if (part.kind === "ready") this.#isReady = true;
      else if (part.kind === "begun") this.#events.onBegun(part.execution);
      else if (part.kind === "exited") this.#status = part.status;
      else if (part.kind === "refused") this.#up.reject(new NoProcessError({ errno: part.errno }));
      else this.#up.reject(new StaleZygoteError());
    }
    if (this.#pid !== undefined && this.#isReady) this.#up.resolve();
    if (this.#status === undefined) return;
    // What it has started ends with it; before the socket closes, since from then on its id can name another.
    this.#kill();
    this.#socket.destroy();
  }

  #onClose(): void {
    this.#up.reject(new NoProcessError({ status: this.#status }));
    if (this.#released) return;
    if (this.#status === undefined) this.#kill(); // the zygote has gone, and nobody else ends it
    this.#released = true;
    if (this.#isKnown) this.#events.onExit(this.#status ?? -9, this.#killed);
  }

  #kill(): void {
    this.#signal("SIGKILL");
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#released || this.#pid === undefined) return;
    for (const target of [-this.#pid, this.#pid]) {
      try {
        process.kill(target, signal);
        return;
      } catch {
        // No such group: it is just being set up, or all of it has ended.
      }
    }
  }
}
