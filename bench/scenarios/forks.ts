import { ExecutionClient } from "ipybox";
import { createContainer, samples } from "../bench.ts";
import { privateBytes } from "../docker.ts";
import { atMost, type Scenario } from "../scenario.ts";
import { median } from "../statistics.ts";

/** 1 GB of random numbers, so that no page of it is shared or empty. */
const LARGE_STATE = `
import numpy, pandas
df = pandas.DataFrame(numpy.random.default_rng(0).random((1_250_000, 100)))
int(df.memory_usage(index=False).sum())`;

export const forks: Scenario = {
  name: "forks",
  title: "Forks of a kernel with 1 GB of state",
  about:
    "A kernel holds a DataFrame of 1 GB. From `client.fork()` until the fork has given one of its values; and the pages " +
    "that only the fork has by then.",
  limitMs: 180_000,
  async run(bench) {
    await using container = await createContainer({ ...bench, image: bench.preloadedImage }, { memoryBytes: 4 * 2 ** 30 });
    await using client = await ExecutionClient.connect({ port: container.port });
    const { text } = await client.execute(LARGE_STATE);
    if (text !== "1000000000") throw new Error(`The DataFrame has ${text} bytes.`);
    const { text: expected } = await client.execute("df.iat[1_000_000, 50]");
    const ms: number[] = [];
    const memory: number[] = [];
    const count = samples(bench, 30);
    for (let round = -1; round < count; round += 1) {
      const startedAt = performance.now();
      await using fork = await client.fork();
      const result = await fork.execute("df.iat[1_000_000, 50]");
      const taken = performance.now() - startedAt;
      if (result.text !== expected) throw new Error("The fork has other data.");
      const pid = Number((await fork.execute("import os; os.getpid()")).text);
      const bytes = await privateBytes(container.id, pid);
      if (round < 0) continue;
      ms.push(taken);
      memory.push(bytes / 2 ** 20);
    }
    return {
      figures: [
        { what: "fork to its first result", subject: "ipybox", unit: "ms", samples: ms },
        { what: "private memory of the fork", subject: "ipybox", unit: "MB", samples: memory },
      ],
      goals: [
        atMost("fork of a kernel with 1 GB to its first result, median", 25, "ms", median(ms)),
        atMost("private memory of a fork that has not written", 5, "MB", median(memory)),
      ],
    };
  },
};
