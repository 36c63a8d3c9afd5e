import { ExecutionClient } from "../client.ts";
import type { ExecutionContainer } from "../container.ts";
import { ContainerDiedError, IpyboxError } from "../errors.ts";
import { timerMs } from "../internal/timer.ts";
import type { Containers } from "./containers.ts";

/** Calls that may be under way in one session; the kernel runs one after the other. */
const MAX_CALLS = 32;

/** After these the kernel can't be reached any more. */
const BROKEN: ReadonlySet<string> = new Set(["container_died", "connection_lost", "disconnected", "kernel_not_found"]);

/** A kernel that runs, in its container. */
export interface Running {
  readonly container: ExecutionContainer;
  readonly client: ExecutionClient;
}

export interface SandboxOptions {
  readonly containers: Containers;
  /** Makes a new kernel ready for its session. */
  readonly prepare?: ((client: ExecutionClient) => Promise<void>) | undefined;
  /** Without a call for so long, container and kernel go, in milliseconds; null for never. */
  readonly idleTimeoutMs: number | null;
  /** Container and kernel have gone for want of calls. */
  readonly onIdle?: (() => void) | undefined;
}

/** Container and kernel of one session. Both start with the first call that needs them. */
export class Sandbox {
  readonly #options: SandboxOptions;
  #running: Promise<Running> | undefined;
  #calls = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** What is to be told with the next result. */
  #notice = "";

  constructor(options: SandboxOptions) {
    this.#options = options;
    this.#restartTimer();
  }

  /**
   * Runs something with the session's kernel. A kernel that is lost is replaced for the next call.
   *
   * @throws IpyboxError `invalid_state` after `close()` and when too many calls are under way; what starting a container throws;
   * the signal's reason.
   */
  async use<T>(signal: AbortSignal, run: (running: Running) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    if (this.#isClosed) throw new IpyboxError("invalid_state", "The session has ended.");
    if (this.#calls >= MAX_CALLS) {
      throw new IpyboxError(
        "invalid_state",
        `The session has ${MAX_CALLS} calls under way, and takes no more. Wait for some of them.`,
      );
    }
    this.#calls += 1;
    clearTimeout(this.#timer);
    try {
      const start = (this.#running ??= this.#start());
      // Who waits for it may have given up by then.
      start.catch(() => undefined);
      const running = await unlessAborted(start, signal);
      try {
        return await run(running);
      } catch (error) {
        if (isBroken(error) && this.#running === start) await this.#lose(running);
        throw error;
      }
    } finally {
      this.#calls -= 1;
      this.#restartTimer();
    }
  }

  /** What the model must know of its kernel, once. */
  takeNotice(): string {
    const notice = this.#notice;
    this.#notice = "";
    return notice;
  }

  /** Ends kernel and container. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#stop();
  }

  async #start(): Promise<Running> {
    try {
      const { containers, prepare } = this.#options;
      const container = await containers.take();
      try {
        const { host, port, token } = container;
        const client = await ExecutionClient.connect({ host, port, token });
        await prepare?.(client);
        return { container, client };
      } catch (error) {
        await containers.giveBack(container, { isBroken: true });
        throw error;
      }
    } catch (error) {
      this.#running = undefined;
      throw error;
    }
  }

  async #stop(): Promise<void> {
    const start = this.#running;
    this.#running = undefined;
    const running = await start?.catch(() => undefined);
    if (running === undefined) return;
    await Promise.allSettled([running.client.disconnect()]);
    await this.#options.containers.giveBack(running.container);
  }

  async #lose({ client, container }: Running): Promise<void> {
    this.#running = undefined;
    this.#notice = "[The sandbox was lost and is a new one: variables, files and packages of the calls before are gone.]";
    await Promise.allSettled([client.disconnect(), this.#options.containers.giveBack(container, { isBroken: true })]);
  }

  #restartTimer(): void {
    clearTimeout(this.#timer);
    const { idleTimeoutMs } = this.#options;
    if (this.#isClosed || this.#calls > 0 || idleTimeoutMs === null) return;
    this.#timer = setTimeout(() => void this.#rest(), timerMs(idleTimeoutMs)).unref();
  }

  async #rest(): Promise<void> {
    if (this.#running !== undefined) {
      this.#notice = "[The sandbox had ended for want of calls and is a new one: variables, files and packages are gone.]";
    }
    // A call that comes meanwhile starts a new one.
    const [stopped] = await Promise.allSettled([this.#stop()]);
    this.#options.onIdle?.();
    if (stopped.status === "rejected") process.stderr.write(`error: ${String(stopped.reason)}\n`);
  }
}

function isBroken(error: unknown): boolean {
  return error instanceof ContainerDiedError || (error instanceof IpyboxError && BROKEN.has(error.code));
}

/** Gives up waiting for a start, which goes on for the calls that come after. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
