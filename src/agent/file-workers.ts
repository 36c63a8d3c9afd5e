import type { Duplex } from "node:stream";
import type { Socket } from "node:net";
import { FILE_WATCH_PATH, FILES_PATH, FILES_PROTOCOL } from "../protocol/agent-config.ts";
import type { KernelSpec } from "../protocol/requests.ts";
import type { Zygote } from "./zygote.ts";

/** Each is a process. */
const MAX_WORKERS = 256;

const SWITCHING = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${FILES_PROTOCOL}\r\n\r\n` as const;

/** Gives each connection that works on files a process of its own, and relays bytes between the two. */
export class FileWorkers {
  readonly #zygote: Zygote;
  readonly #spec: () => KernelSpec;
  #open = 0;
  #transfers = 0;
  #idleSince = 0;

  constructor(zygote: Zygote, spec: () => KernelSpec) {
    this.#zygote = zygote;
    this.#spec = spec;
  }

  /** Whether files are worked on; being watched is not that. */
  get busy(): boolean {
    return this.#transfers > 0;
  }

  /** When the last connection ended. */
  get idleSince(): number {
    return this.#idleSince;
  }

  /** Whether a request's URL asks for a file worker. */
  isFor(url: string | undefined): url is string {
    return url === FILES_PATH || url === FILE_WATCH_PATH;
  }

  /** Takes a connection until either side ends it. Rejects when no process can be started; then nothing was answered yet. */
  async serve(url: string, client: Duplex, head: Buffer): Promise<void> {
    if (this.#open >= MAX_WORKERS) throw new Error(`${MAX_WORKERS} connections work on files already`);
    const transfers = url === FILE_WATCH_PATH ? 0 : 1;
    this.#open += 1;
    this.#transfers += transfers;
    try {
      const worker = await this.#zygote.forkFileWorker(this.#spec());
      client.write(SWITCHING);
      if (head.length > 0) worker.write(head);
      await relay(client, worker);
    } finally {
      this.#open -= 1;
      this.#transfers -= transfers;
      this.#idleSince = Date.now();
    }
  }
}

/** Relays both ways, each as fast as the other side takes it, until one side ends. */
function relay(client: Duplex, worker: Socket): Promise<void> {
  return new Promise((resolve) => {
    worker.on("error", () => worker.destroy());
    // What the worker has said last still goes out.
    worker.on("close", () => client.end(() => client.destroy()));
    client.on("close", () => {
      worker.destroy();
      resolve();
    });
    client.pipe(worker);
    worker.pipe(client);
    if (client.destroyed) client.emit("close");
  });
}
