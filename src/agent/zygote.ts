import { existsSync } from "node:fs";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { KernelSpec } from "../protocol/requests.ts";
import { startFileWorker } from "./file-worker.ts";
import { KernelProcess, type KernelProcessEvents, StaleZygoteError } from "./kernel-process.ts";

/** In a directory that only root can enter; made by `python/ipybox_kernel/zygote.py`. */
const SOCKET_PATH = "/run/ipybox/zygote.sock";
const PLAIN_SOCKET_PATH = "/run/ipybox/plain-zygote.sock";
const COMMAND = ["/usr/bin/python3", "-I", "-S", "-u", "/opt/ipybox/python/ipybox_kernel"] as const;
const START_TIMEOUT_MS = 30_000;

/**
 * The process that kernels are forked from. The image's entry point starts the first one. It gives
 * way to a plain one when packages that it has preloaded were changed by a cell; one that has died
 * is started again.
 */
export class Zygote {
  #plain = false;
  #starting: Promise<void> | undefined;

  /** Whether kernels can be started. */
  get ready(): boolean {
    return existsSync(this.#socketPath);
  }

  /** Resolves when the first zygote takes connections. */
  async started(): Promise<void> {
    await appears(SOCKET_PATH, () => undefined);
  }

  /** Starts a kernel's process. */
  fork(spec: KernelSpec, events: KernelProcessEvents): Promise<KernelProcess> {
    return this.#ask((path) => KernelProcess.start(path, spec, events));
  }

  /** Starts a file worker; gives the connection to it. */
  forkFileWorker(spec: KernelSpec): Promise<Socket> {
    return this.#ask((path) => startFileWorker(path, spec));
  }

  /** Asks the zygote, and another one when it is of no use any more. */
  async #ask<Process>(start: (path: string) => Promise<Process>): Promise<Process> {
    await this.#starting;
    try {
      return await start(this.#socketPath);
    } catch (error) {
      if (error instanceof StaleZygoteError) this.#plain = true;
      else if (!isRefusal(error)) throw error;
    }
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
    await this.#starting;
    return start(this.#socketPath);
  }

  /** Where the zygote that the container began with takes connections, if it is alive. */
  get firstSocketPath(): string {
    return SOCKET_PATH;
  }

  get #socketPath(): string {
    return this.#plain ? PLAIN_SOCKET_PATH : SOCKET_PATH;
  }

  async #start(): Promise<void> {
    this.#plain = true; // never again with what cells may have changed
    // Hardly ever needed: it takes 3 ms of each container's start.
    const { spawn } = await import("node:child_process");
    const [command, ...args] = COMMAND;
    const child = spawn(command, [...args, "--plain"], { stdio: "inherit" });
    let failure: string | undefined;
    child.on("error", (error) => (failure = error.message));
    child.on("exit", (code, signal) => (failure = `it ended with ${signal ?? code}`));
    await appears(PLAIN_SOCKET_PATH, () => failure);
  }
}

async function appears(path: string, failure: () => string | undefined): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!existsSync(path)) {
    const reason = failure();
    if (reason !== undefined) throw new Error(`the zygote could not be started again: ${reason}`);
    if (Date.now() > deadline) throw new Error(`the zygote was not ready within ${START_TIMEOUT_MS} ms`);
    await delay(3);
  }
}

function isRefusal(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ECONNREFUSED" || code === "ENOENT";
}
