import { setTimeout as delay } from "node:timers/promises";
import { ExecutionClient } from "ipybox";
import { createContainer } from "../bench.ts";
import { atMost, type Scenario } from "../scenario.ts";

const BYTES = 100_000_000;

/** The reader sleeps so long at first, then a little after each of so many chunks, then it reads all. */
const FIRST_SLEEP_MS = 3_000;
const SLOW_CHUNKS = 200;
const SLEEP_MS = 10;

export const slowReader: Scenario = {
  name: "slow-reader",
  title: "Memory of a client that reads slowly",
  about:
    "A cell prints 100 MB as fast as it can. The reader takes one chunk, sleeps 3 s, takes 200 more with 10 ms between them, " +
    "then the rest without keeping it. The greatest resident memory of the client's process, less what it was before.",
  limitMs: 120_000,
  async run(bench) {
    await using container = await createContainer(bench);
    await using client = await ExecutionClient.connect({ port: container.port });
    await client.execute("1+1");
    globalThis.gc?.();
    const before = process.memoryUsage();
    const peak = { rss: 0, external: 0 };
    const timer = setInterval(() => {
      const { rss, external } = process.memoryUsage();
      peak.rss = Math.max(peak.rss, rss - before.rss);
      peak.external = Math.max(peak.external, external - before.external);
    }, 5);
    let received = 0;
    let chunks = 0;
    for await (const chunk of client.submit(`for _ in range(${BYTES / 1000}):\n    print("x" * 999)`).stream()) {
      received += chunk.length;
      chunks += 1;
      if (chunks === 1) await delay(FIRST_SLEEP_MS);
      else if (chunks < SLOW_CHUNKS) await delay(SLEEP_MS);
    }
    clearInterval(timer);
    if (received !== BYTES) throw new Error(`${received} characters have arrived.`);
    const figure = { subject: "ipybox", unit: "MB" } as const;
    return {
      figures: [
        { what: "growth of resident memory", ...figure, samples: [peak.rss / 2 ** 20] },
        { what: "of that outside of the JavaScript heap", ...figure, samples: [peak.external / 2 ** 20] },
      ],
      goals: [atMost("growth of the client's memory while it reads 100 MB slowly", 64, "MB", peak.rss / 2 ** 20)],
    };
  },
};
