import { ExecutionClient } from "ipybox";
import { type Bench, createContainer, samples } from "../bench.ts";
import { inContainer } from "../docker.ts";
import { atLeast, atMost, type Figure, type Scenario } from "../scenario.ts";
import { median } from "../statistics.ts";

const CROWD = 800;
const AT_ONCE = 16;

export const manyKernels: Scenario = {
  name: "many-kernels",
  title: "Many kernels in one container",
  about:
    "64 clients connect at once to one container with default limits, and each runs a cell; the time until all have " +
    "their result. Then, in a container of 4 GB, 800 kernels are created, 16 at a time; when all are there, each runs a cell, all at once.",
  limitMs: 300_000,
  async run(bench) {
    const [burst, crowd] = [await burstOf64(bench), await crowdOf800(bench)];
    return {
      figures: [burst, ...crowd.figures],
      goals: [
        atMost("64 kernels in one container: all created, all answered", 1_500, "ms", median(burst.samples)),
        atLeast("idle kernels in a container of 4 GB, of which each answers", CROWD, "kernels", crowd.answered),
      ],
    };
  },
};

async function burstOf64(bench: Bench): Promise<Figure> {
  await using container = await createContainer(bench);
  const ms: number[] = [];
  for (let round = -1; round < samples(bench, 10); round += 1) {
    const startedAt = performance.now();
    const clients = await Promise.all(
      Array.from({ length: 64 }, async (_, index) => {
        const client = await ExecutionClient.connect({ port: container.port });
        await answer(client, index);
        return client;
      }),
    );
    if (round >= 0) ms.push(performance.now() - startedAt);
    await Promise.all(clients.map((client) => client.disconnect()));
  }
  return { what: "64 kernels, all created and answered", subject: "ipybox", unit: "ms", samples: ms };
}

async function crowdOf800(bench: Bench): Promise<{ readonly figures: readonly Figure[]; readonly answered: number }> {
  await using container = await createContainer(bench, { memoryBytes: 4 * 2 ** 30, pidsLimit: 4096 });
  const usedBefore = await usedBytes(container.id);
  const clients: ExecutionClient[] = [];
  try {
    const startedAt = performance.now();
    while (clients.length < CROWD) {
      clients.push(
        ...(await Promise.all(Array.from({ length: AT_ONCE }, () => ExecutionClient.connect({ port: container.port })))),
      );
    }
    const createdAt = performance.now();
    const answers = await Promise.allSettled(clients.map(answer));
    const answeredAt = performance.now();
    const used = (await usedBytes(container.id)) - usedBefore;
    const figure = { subject: "ipybox", unit: "s" } as const;
    return {
      answered: answers.filter(({ status }) => status === "fulfilled").length,
      figures: [
        { ...figure, what: `${CROWD} kernels created`, samples: [(createdAt - startedAt) / 1000] },
        { ...figure, what: `a cell in each of ${CROWD} kernels`, samples: [(answeredAt - createdAt) / 1000] },
        { ...figure, unit: "MB", what: "memory of the container, a kernel", samples: [used / CROWD / 2 ** 20] },
      ],
    };
  } finally {
    await Promise.allSettled(clients.map((client) => client.disconnect()));
  }
}

async function answer(client: ExecutionClient, index: number): Promise<void> {
  const { text } = await client.execute(`${index} + 1`);
  if (text !== String(index + 1)) throw new Error(`${index} + 1 gave ${text}.`);
}

/** Memory that is charged to a container, page tables and buffers of the system included. */
async function usedBytes(containerId: string): Promise<number> {
  const script =
    "cat /sys/fs/cgroup/memory.current 2>/dev/null || " +
    "echo $(($(cat /sys/fs/cgroup/memory/memory.usage_in_bytes) - $(sed -n 's/^total_inactive_file //p' /sys/fs/cgroup/memory/memory.stat)))";
  return Number(await inContainer(containerId, "0", "sh", "-c", script));
}
