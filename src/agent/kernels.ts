import type { WebSocket } from "ws";
import type { KernelSpec } from "../protocol/requests.ts";
import { Connection } from "./connection.ts";
import { Kernel } from "./kernel.ts";
import { receive } from "./receive.ts";
import type { Zygote } from "./zygote.ts";

/** A kernel whose clients have all vanished without a word is removed after this time. */
const GRACE_MS = 60_000;

/** All kernels of the sandbox, by id. */
export class Kernels {
  readonly #zygote: Zygote;
  readonly #spec: KernelSpec;
  readonly #kernels = new Map<string, Kernel>();
  readonly #clients = new Map<Kernel, number>();
  readonly #graces = new Map<Kernel, NodeJS.Timeout>();

  constructor(zygote: Zygote, spec: KernelSpec) {
    this.#zygote = zygote;
    this.#spec = spec;
  }

  has(id: string): boolean {
    return this.#kernels.has(id);
  }

  /** Creates a kernel, or gives the one that has this id. */
  async open(id: string): Promise<Kernel> {
    const existing = this.#kernels.get(id);
    if (existing !== undefined) return existing;
    const env = { ...this.#spec.env, IPYBOX_KERNEL_ID: id };
    const kernel = new Kernel(id, (events) => this.#zygote.fork({ ...this.#spec, env }, events));
    this.#kernels.set(id, kernel);
    try {
      await kernel.start();
    } catch (error) {
      this.#kernels.delete(id);
      throw error;
    }
    return kernel;
  }

  /** Joins a client to a kernel until its socket closes. */
  join(kernel: Kernel, socket: WebSocket, sequence: number): void {
    clearTimeout(this.#graces.get(kernel));
    this.#graces.delete(kernel);
    this.#clients.set(kernel, (this.#clients.get(kernel) ?? 0) + 1);
    const connection = new Connection(socket, kernel.onDrain);
    socket.on("message", (data) => {
      receive(data as Buffer, kernel, {
        shutdown: () => this.remove(kernel),
        violation: (reason) => connection.close("protocol_violation", reason),
      });
    });
    socket.on("error", () => socket.terminate());
    socket.on("close", () => {
      kernel.detach(connection);
      this.#leave(kernel);
    });
    kernel.attach(connection, sequence);
  }

  remove(kernel: Kernel): void {
    clearTimeout(this.#graces.get(kernel));
    this.#graces.delete(kernel);
    this.#clients.delete(kernel);
    if (this.#kernels.delete(kernel.id)) kernel.close("kernel_not_found", "the kernel was removed");
  }

  #leave(kernel: Kernel): void {
    if (!this.#kernels.has(kernel.id)) return;
    const left = (this.#clients.get(kernel) ?? 1) - 1;
    this.#clients.set(kernel, left);
    if (left === 0)
      this.#graces.set(
        kernel,
        setTimeout(() => this.remove(kernel), GRACE_MS),
      );
  }
}
