import type { WebSocket } from "ws";
import { timerMs } from "../internal/timer.ts";
import type { KernelSpec } from "../protocol/requests.ts";
import { explainStart } from "./bounds.ts";
import { Connection } from "./connection.ts";
import { Kernel, type StartProcess } from "./kernel.ts";
import type { KernelProcess } from "./kernel-process.ts";
import { type Forks, receive } from "./receive.ts";
import { ReplayBudget } from "./replay-budget.ts";
import type { Zygote } from "./zygote.ts";

/** How often it is looked for clients that have vanished. */
const LOOK_MS = 5_000;

/** How a WebSocket ends that was closed and not lost. */
const CLOSED_BY_CLIENT: ReadonlySet<number> = new Set([1000, 1005]);

/** How long a kernel lives without those who need it. */
export interface KernelTerms {
  /** After all of its clients have vanished without a word. */
  readonly graceMs: number;
  /** After its last cell, though clients are there; null for ever. */
  readonly idleTimeoutMs: number | null;
}

interface Entry {
  readonly kernel: Kernel;
  readonly terms: KernelTerms;
  /** The connections of its clients, by the clients' own ids. */
  readonly clients: Map<string, Connection>;
  /** Resolves when the first process takes requests. */
  readonly started: Promise<void>;
  /** Clients whose connections were lost, and may come back. */
  readonly leaving: Map<string, NodeJS.Timeout>;
  grace: NodeJS.Timeout | undefined;
  idle: NodeJS.Timeout | undefined;
}

async function explain(error: unknown): Promise<never> {
  throw await explainStart(error);
}

/** All kernels of the sandbox, by id. */
export class Kernels {
  readonly #zygote: Zygote;
  readonly #spec: () => KernelSpec;
  readonly #entries = new Map<string, Entry>();
  readonly #budget = ReplayBudget.ofSandbox();
  /** When the last cell ended of kernels that have been removed. */
  #removedIdleSince = 0;

  /** @param spec - What a kernel that starts now is to be. */
  constructor(zygote: Zygote, spec: () => KernelSpec) {
    this.#zygote = zygote;
    this.#spec = spec;
    setInterval(() => this.#endVanished(), LOOK_MS).unref();
  }

  /** Whether a cell runs or waits anywhere. */
  get busy(): boolean {
    for (const { kernel } of this.#entries.values()) if (kernel.busy) return true;
    return false;
  }

  /** When the last cell ended anywhere. */
  get idleSince(): number {
    return Math.max(this.#removedIdleSince, ...[...this.#entries.values()].map(({ kernel }) => kernel.idleSince));
  }

  /** All of them. */
  get all(): readonly Kernel[] {
    return [...this.#entries.values()].map(({ kernel }) => kernel);
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  /** Creates a kernel, unless there is one with this id; resolves when it takes requests. */
  async open(id: string, terms?: KernelTerms): Promise<void> {
    const entry = this.#entries.get(id) ?? this.#create(id, terms as KernelTerms);
    await entry.started;
  }

  /**
   * Creates kernels that are forked from a live one: `process`, which is about to be asked for them. An id that there
   * is already is left out, so that the fork as a whole fails.
   */
  #fork(ids: readonly string[], { terms }: Entry, process: KernelProcess): Forks {
    const free = ids.filter((id) => !this.#entries.has(id));
    const forked = free.map((id) => this.#create(id, terms, (events) => process.fork(id, events).catch(explain)));
    return {
      remove: () => {
        for (const entry of forked) this.#remove(entry, "kernel_not_found", "the kernel could not be forked");
      },
    };
  }

  /** Joins a client to a kernel until its socket closes. A client that comes again replaces its old connection. */
  join(id: string, socket: WebSocket, { client, after }: { readonly client: string; readonly after: number | "latest" }): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) {
      socket.terminate(); // removed while the connection was made
      return;
    }
    const { kernel, clients } = entry;
    clearTimeout(entry.grace);
    // A connection that is dead, but not yet known to be, must not hold up the kernel's output.
    clients.get(client)?.terminate();
    const connection: Connection = new Connection(socket, () => kernel.output.drained());
    clients.set(client, connection);
    socket.on("message", (data) => {
      receive(data as Buffer, {
        kernel,
        connection,
        fork: (ids, process) => this.#fork(ids, entry, process),
        shutdown: () => this.#remove(entry, "kernel_not_found", "the kernel was removed"),
      });
    });
    socket.on("error", () => socket.terminate());
    clearTimeout(entry.leaving.get(client));
    socket.on("close", (code) => {
      kernel.output.detach(connection);
      if (clients.get(client) !== connection) return;
      clients.delete(client);
      this.#beginLeaving(entry, client, code);
      this.#beginGrace(entry);
    });
    kernel.output.attach(connection, id, after);
  }

  /** Removes all kernels; `code` and `reason` tell the clients why. */
  close(code: string, reason: string): void {
    for (const entry of this.#entries.values()) this.#remove(entry, code, reason);
  }

  /** Ends the connections of clients that have vanished without a word of their system's. */
  #endVanished(): void {
    for (const { clients } of this.#entries.values()) {
      for (const connection of clients.values()) if (connection.hasVanished(clients.size === 1)) connection.terminate();
    }
  }

  #create(id: string, terms: KernelTerms, first?: StartProcess): Entry {
    const startProcess: StartProcess = (events) => {
      const spec = this.#spec();
      return this.#zygote.fork({ ...spec, env: { ...spec.env, IPYBOX_KERNEL_ID: id } }, events).catch(explain);
    };
    const kernel = new Kernel(id, startProcess, this.#budget);
    const started = kernel.start(first);
    const entry: Entry = { kernel, terms, clients: new Map(), leaving: new Map(), started, grace: undefined, idle: undefined };
    this.#entries.set(id, entry);
    started.then(
      () => this.#beginGrace(entry), // who has asked for it may never come
      () => this.#remove(entry, "kernel_not_found", "its process could not be started"),
    );
    this.#watchIdle(entry);
    return entry;
  }

  /** Who has closed its connection has left; who has lost it may come back. */
  #beginLeaving({ kernel, leaving, terms }: Entry, client: string, code: number): void {
    clearTimeout(leaving.get(client));
    const leave = (): void => {
      leaving.delete(client);
      kernel.leave(client);
    };
    if (CLOSED_BY_CLIENT.has(code)) leave();
    else leaving.set(client, setTimeout(leave, timerMs(terms.graceMs)).unref());
  }

  #beginGrace(entry: Entry): void {
    clearTimeout(entry.grace);
    if (entry.clients.size > 0 || this.#entries.get(entry.kernel.id) !== entry) return;
    entry.grace = setTimeout(() => this.#remove(entry, "kernel_not_found", "no client was left"), timerMs(entry.terms.graceMs));
  }

  /** Looks again when the kernel may have been idle for long enough; never ends a cell. */
  #watchIdle(entry: Entry): void {
    const { idleTimeoutMs } = entry.terms;
    if (idleTimeoutMs === null) return;
    const { kernel } = entry;
    const left = kernel.busy ? idleTimeoutMs : kernel.idleSince + idleTimeoutMs - Date.now();
    entry.idle = setTimeout(
      () => {
        const idle = !kernel.busy && Date.now() - kernel.idleSince >= idleTimeoutMs;
        if (idle) this.#remove(entry, "kernel_culled", `nothing ran in the kernel for ${idleTimeoutMs} ms (idleTimeoutMs)`);
        else this.#watchIdle(entry);
      },
      timerMs(Math.max(left, 1)),
    );
  }

  #remove(entry: Entry, code: string, reason: string): void {
    clearTimeout(entry.grace);
    clearTimeout(entry.idle);
    for (const timer of entry.leaving.values()) clearTimeout(timer);
    if (this.#entries.get(entry.kernel.id) !== entry) return; // it was removed before
    this.#entries.delete(entry.kernel.id);
    this.#removedIdleSince = Math.max(this.#removedIdleSince, entry.kernel.busy ? Date.now() : entry.kernel.idleSince);
    entry.kernel.close(code, reason);
  }
}
