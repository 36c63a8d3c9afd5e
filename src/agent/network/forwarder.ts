import { createSocket, type RemoteInfo, type Socket as DatagramSocket } from "node:dgram";
import { getServers } from "node:dns";
import { connect, createServer, type Server, type Socket } from "node:net";

const ANSWER_MS = 5_000;
const MOST_QUESTIONS = 512;
const MOST_CONNECTIONS = 64;
const DNS_PORT = 53;

interface Resolver {
  readonly host: string;
  readonly port: number;
}

/**
 * Passes questions about names on to the sandbox's resolvers. Their addresses are often private ones, which cells can't
 * reach; this is the way to them that is left.
 */
export class NameForwarder {
  #datagrams: DatagramSocket[] = [];
  #servers: Server[] = [];
  #open = 0;
  #port: number | undefined;
  #serving = false;
  readonly #relays = new Set<Socket>();

  /** Whether questions are passed on. Who keeps an address in mind must not find a way out when the policy has changed. */
  serve(serving: boolean): void {
    this.#serving = serving;
    if (!serving) for (const client of this.#relays) client.destroy();
  }

  /** Where it answers on loopback. `preferredPort` unless that is taken. */
  async listen(preferredPort: number): Promise<number> {
    if (this.#port !== undefined) return this.#port;
    try {
      this.#port = await this.#listenOn(preferredPort);
    } catch {
      this.#close();
      this.#port = await this.#listenOn(0);
    }
    return this.#port;
  }

  async #listenOn(wanted: number): Promise<number> {
    const server = createServer((socket) => this.#relay(socket));
    this.#servers.push(server);
    server.maxConnections = MOST_CONNECTIONS;
    await listening(server, "127.0.0.1", wanted);
    const { port } = server.address() as { readonly port: number };
    await this.#bind("udp4", "127.0.0.1", port);
    // Without IPv6 nothing is redirected there.
    const second = createServer((socket) => this.#relay(socket));
    this.#servers.push(second);
    second.maxConnections = MOST_CONNECTIONS;
    await listening(second, "::1", port)
      .then(() => this.#bind("udp6", "::1", port))
      .catch(unlessNoIpv6);
    return port;
  }

  async #bind(type: "udp4" | "udp6", address: string, port: number): Promise<void> {
    const socket = createSocket(type);
    this.#datagrams.push(socket);
    await new Promise<void>((resolve, reject) => socket.once("error", reject).bind({ address, port }, resolve));
    socket.on("error", () => undefined);
    socket.on("message", (question, from) => this.#ask(socket, question, from));
  }

  /** Asks one resolver after the other until one answers. */
  #ask(socket: DatagramSocket, question: Buffer, from: RemoteInfo): void {
    if (!this.#serving || this.#open >= MOST_QUESTIONS) return;
    const resolvers = sandboxResolvers();
    let at = 0;
    const askNext = (): void => {
      const resolver = resolvers[at++];
      if (resolver === undefined || !this.#serving) return;
      this.#open += 1;
      const upstream = createSocket(resolver.host.includes(":") ? "udp6" : "udp4");
      const timer = setTimeout(() => done(false), ANSWER_MS);
      let ended = false;
      const done = (answered: boolean): void => {
        if (ended) return;
        ended = true;
        this.#open -= 1;
        clearTimeout(timer);
        upstream.close();
        if (!answered) askNext();
      };
      upstream.on("error", () => done(false));
      // Connected, so that nobody else can answer. What Node's types don't tell: a failure comes to the callback.
      upstream.connect(resolver.port, resolver.host, (error?: Error) => {
        if (error !== undefined && error !== null) done(false);
        else if (!ended) upstream.send(question);
      });
      upstream.on("message", (answer) => {
        socket.send(answer, from.port, from.address, () => undefined);
        done(true);
      });
    };
    askNext();
  }

  #relay(client: Socket): void {
    const [resolver] = sandboxResolvers();
    if (resolver === undefined || !this.#serving) {
      client.destroy();
      return;
    }
    this.#relays.add(client);
    client.once("close", () => this.#relays.delete(client));
    const upstream = connect(resolver);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.setTimeout(ANSWER_MS, () => one.destroy());
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
      one.pipe(other);
    }
  }

  #close(): void {
    for (const socket of this.#datagrams) closeQuietly(() => socket.close());
    for (const server of this.#servers) server.close();
    this.#datagrams = [];
    this.#servers = [];
  }
}

function sandboxResolvers(): readonly Resolver[] {
  return getServers().map((text) => {
    const [, host = text, port] = /^\[(.*)\]:(\d+)$/.exec(text) ?? /^([\d.]+):(\d+)$/.exec(text) ?? [];
    return { host, port: port === undefined ? DNS_PORT : Number(port) };
  });
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.removeListener("error", reject);
      server.on("error", () => undefined);
      resolve();
    });
  });
}

function unlessNoIpv6(error: NodeJS.ErrnoException): void {
  if (error.code !== "EADDRNOTAVAIL" && error.code !== "EAFNOSUPPORT") throw error;
}

function closeQuietly(close: () => void): void {
  try {
    close();
  } catch {
    // It was never bound.
  }
}
