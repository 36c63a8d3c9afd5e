import { ExecutionClient, type ExecutionClientOptions } from "ipybox";
import { FaultyProxy } from "../fakes/faulty-proxy.ts";
import { Seeded } from "../seeded.ts";
import type { Sandbox } from "./sandbox.ts";

/** A client whose connections fail as a test wants. */
export interface Troubled extends AsyncDisposable {
  readonly client: ExecutionClient;
  readonly proxy: FaultyProxy;
  readonly random: Seeded;
}

export async function connectThroughProxy(
  { container }: Sandbox,
  options: Omit<ExecutionClientOptions, "port"> = {},
  random: Seeded = new Seeded(),
): Promise<Troubled> {
  const proxy = await FaultyProxy.before(container.port, random);
  try {
    const client = await ExecutionClient.connect({ ...options, port: proxy.port, token: container.token });
    return {
      client,
      proxy,
      random,
      async [Symbol.asyncDispose]() {
        await client.disconnect();
        await proxy[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await proxy[Symbol.asyncDispose]();
    throw error;
  }
}

/** What the container sends, and a client at most, until a connection can be used. */
const READY_BYTES = 200;
const HANDSHAKE_BYTES = 700;

/** Whatever happens to connections, a round of work is done after so long. */
const ROUND_MS = 20_000;

/** How connections are cut. */
export interface CutOptions {
  /** A connection is cut after up to so many bytes. */
  readonly maxBytes: number;
  /** It is cut when it was in use for so long at the latest, in milliseconds. */
  readonly afterMs: number;
}

/** Works on as long as fewer than so many connections have been cut, each at a random point; gives how often it has worked. */
export async function whileCutting(
  { proxy, random }: Troubled,
  cuts: number,
  { maxBytes, afterMs }: CutOptions,
  work: (round: number) => Promise<void>,
): Promise<number> {
  const enough = proxy.cuts + cuts;
  const stop = new AbortController();
  const cutting = (async () => {
    while (!stop.signal.aborted && proxy.cuts < enough) {
      const before = proxy.cuts;
      const ending = random.pick(["reset", "close"] as const);
      proxy.setLine(random.next() < 0.2 ? { sliceBytes: 100 } : {});
      // Most connections are cut when they are in use: else none would ever be.
      const inUse = random.next() < 0.75;
      const bytes = (inUse ? HANDSHAKE_BYTES : 0) + random.magnitude(1, maxBytes);
      proxy.cutAfter(bytes, random.pick(["down", "down", "up"] as const), ending);
      const done = (): boolean => stop.signal.aborted || proxy.cuts > before;
      await becomes(() => done() || proxy.hasSent(inUse ? READY_BYTES : -1));
      const deadline = performance.now() + random.magnitude(1, afterMs);
      await becomes(() => done() || performance.now() > deadline);
      if (!done()) proxy.cut(ending);
    }
    proxy.heal();
  })();
  let round = 0;
  try {
    for (; proxy.cuts < enough; round += 1) await within(ROUND_MS, `round ${round}`, work(round));
  } finally {
    stop.abort();
    await cutting;
  }
  return round;
}

async function becomes(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** What `promise` gives; fails when that takes too long. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} was not done within ${ms} ms`)), ms);
  });
  return Promise.race([promise, expired]).finally(() => clearTimeout(timer));
}
