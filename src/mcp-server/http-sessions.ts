import { randomBytes } from "node:crypto";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import { RecentEvents } from "./recent-events.ts";
import { Sandbox, type SandboxOptions } from "./sandbox.ts";
import { createServer } from "./server.ts";
import type { Tool } from "./tool.ts";

/** Bytes of messages that a session keeps for a client that comes back. */
const MAX_KEPT_BYTES = 32 * 1_048_576;

export interface HttpSessionsOptions {
  readonly tools: readonly Tool[];
  readonly sandbox: Omit<SandboxOptions, "onIdle">;
  readonly maxSessions: number;
}

/** One client's session: its transport and its sandbox. */
export interface HttpSession {
  readonly transport: WebStandardStreamableHTTPServerTransport;
  /** Which of the tokens has begun it. */
  readonly owner: number;
}

/** The sessions over HTTP. An id is no authentication: a session is its owner's alone. */
export class HttpSessions {
  readonly #options: HttpSessionsOptions;
  readonly #sessions = new Map<string, HttpSession>();
  /** Sessions that have ended, but whose containers have not. */
  readonly #ending = new Set<Promise<void>>();

  constructor(options: HttpSessionsOptions) {
    this.#options = options;
  }

  /** Sessions that are there, and those that still have a container. */
  get count(): number {
    return this.#sessions.size + this.#ending.size;
  }

  get isFull(): boolean {
    return this.count >= this.#options.maxSessions;
  }

  /** A session of this owner. What another has is not there. */
  find(id: string, owner: number): HttpSession | undefined {
    const session = this.#sessions.get(id);
    return session?.owner === owner ? session : undefined;
  }

  /** Makes a session; the client learns its id from the answer to its `initialize`. */
  async open(owner: number): Promise<HttpSession> {
    const { tools, sandbox: options } = this.#options;
    const id = randomBytes(32).toString("base64url");
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => id,
      eventStore: new RecentEvents({ maxBytes: MAX_KEPT_BYTES }),
    });
    const sandbox = new Sandbox({ ...options, onIdle: () => void transport.close() });
    const session = { transport, owner };
    // Counted from now on: many clients may come at once.
    this.#sessions.set(id, session);
    const server = createServer(tools, sandbox);
    await server.connect(transport);
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- the SDK's class is no EventTarget
    server.server.onclose = () => {
      this.#sessions.delete(id);
      const ended: Promise<void> = sandbox
        .close()
        .catch((error: unknown) => void process.stderr.write(`error: ${String(error)}\n`))
        .finally(() => this.#ending.delete(ended));
      this.#ending.add(ended);
    };
    return session;
  }

  /** Ends all sessions, and resolves when their containers are gone. */
  async close(): Promise<void> {
    this.#options.sandbox.containers.close();
    for (const { transport } of this.#sessions.values()) await transport.close();
    await Promise.all(this.#ending);
  }
}
