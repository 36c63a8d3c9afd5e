import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Seeded } from "../seeded.ts";
import { FaultyFlow, type Line } from "./faulty-flow.ts";

/** `up`: from the client to the container. */
export type Direction = "up" | "down";

/** How a connection ends: with an RST, or in good order. */
export type Ending = "reset" | "close";

interface Pair {
  readonly client: Socket;
  readonly container: Socket;
  readonly up: FaultyFlow;
  readonly down: FaultyFlow;
}

/** Stands before a container's port and does to connections what networks do. */
export class FaultyProxy implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #target: number;
  readonly #random: Seeded;
  readonly #stopped = new AbortController();
  readonly #pairs = new Set<Pair>();
  readonly #sockets = new Set<Socket>();
  #line: Line = {};
  #swallowed: readonly Direction[] = [];
  #downWith: Ending | undefined;
  #onPair: (pair: Pair) => void = () => undefined;
  /** Connections that were made through it. */
  connections = 0;
  /** Connections that it has ended. */
  cuts = 0;

  private constructor(server: Server, target: number, random: Seeded) {
    this.#server = server;
    this.#target = target;
    this.#random = random;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (socket) => this.#accept(socket));
  }

  static async before(port: number, random: Seeded = new Seeded()): Promise<FaultyProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    await listen(server, 0);
    return new FaultyProxy(server, port, random);
  }

  /** Connections that no client has left. */
  get open(): number {
    return [...this.#pairs].filter(({ client }) => !client.readableEnded && !client.destroyed).length;
  }

  /** Whether a connection is open through which the container has sent more than so many bytes. */
  hasSent(bytes: number): boolean {
    return [...this.#pairs].some(({ down }) => down.bytes > bytes);
  }

  /** What is open now, and what comes, has such a line. */
  setLine(line: Line): void {
    this.#line = line;
  }

  /** Ends all that is open, for the client, the container, or both. Who is left out is told nothing. */
  cut(ending: Ending, sides: readonly ("client" | "container")[] = ["client", "container"]): void {
    for (const pair of this.#pairs) this.#end(pair, ending, sides);
  }

  /** Ends a connection after exactly so many more bytes: the one that is open, or the next. */
  cutAfter(bytes: number, direction: Direction, ending: Ending): void {
    const arm = (pair: Pair): void => {
      pair[direction].limit(bytes, () => this.#end(pair, ending, ["client", "container"]));
    };
    const open = [...this.#pairs].at(-1);
    if (open === undefined) this.#onPair = arm;
    else arm(open);
  }

  /** What goes that way is thrown away, in open connections and new ones; they stay open. */
  swallow(...directions: readonly Direction[]): void {
    this.#swallowed = directions;
    for (const pair of this.#pairs) for (const direction of directions) pair[direction].swallow();
  }

  /** Nothing is taken any more from what is open, in neither direction, as when a cable is cut. New connections work. */
  stall(): void {
    for (const { up, down } of this.#pairs) for (const flow of [up, down]) flow.stall();
  }

  /** Ends all that is open, and whatever is made, until `heal()`. */
  down(ending: Ending): void {
    this.cut(ending);
    this.#downWith = ending;
  }

  /** New connections work well again; those from which bytes were swallowed never do. */
  heal(): void {
    this.#downWith = undefined;
    this.#swallowed = [];
    this.#line = {};
    this.#onPair = () => undefined;
    for (const { up, down } of this.#pairs) for (const flow of [up, down]) flow.limit(Number.POSITIVE_INFINITY);
  }

  /** Refuses new connections until `accept()`. */
  async refuse(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      // It closes only when nothing is open any more, and stops listening at once.
      resolve();
    });
  }

  async accept(): Promise<void> {
    await listen(this.#server, this.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(client: Socket): void {
    this.connections += 1;
    const container = connect({ port: this.#target, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const line = (): Line => this.#line;
    const pair: Pair = {
      client,
      container,
      up: new FaultyFlow(client, container, line, this.#random, this.#stopped.signal),
      down: new FaultyFlow(container, client, line, this.#random, this.#stopped.signal),
    };
    this.#pairs.add(pair);
    for (const [socket, other, direction] of [
      [client, container, "up"],
      [container, client, "down"],
    ] as const) {
      this.#sockets.add(socket);
      socket.on("error", () => {
        if (this.#pairs.has(pair) && !pair[direction].dead) other.resetAndDestroy();
      });
      socket.on("close", () => {
        this.#sockets.delete(socket);
        if (client.destroyed && container.destroyed) this.#pairs.delete(pair);
      });
    }
    for (const direction of this.#swallowed) pair[direction].swallow();
    if (this.#downWith !== undefined) this.#end(pair, this.#downWith, ["client", "container"]);
    const onPair = this.#onPair;
    this.#onPair = () => undefined;
    onPair(pair);
  }

  #end(pair: Pair, ending: Ending, sides: readonly ("client" | "container")[]): void {
    if (!this.#pairs.delete(pair)) return;
    this.cuts += 1;
    for (const direction of ["up", "down"] as const) pair[direction].swallow();
    for (const side of sides) {
      if (ending === "reset") pair[side].resetAndDestroy();
      else pair[side].end(() => pair[side].destroySoon());
    }
  }
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
}
