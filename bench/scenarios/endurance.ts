import { ExecutionClient } from "ipybox";
import { createContainer } from "../bench.ts";
import { inContainer, residentBytes } from "../docker.ts";
import { atMost, type Scenario } from "../scenario.ts";
import { slope } from "../statistics.ts";

const STEP = 500;

export const endurance: Scenario = {
  name: "endurance",
  title: "Memory over 10,000 executions",
  about:
    "10,000 cells in one kernel. After every 500 the resident memory of the client's process (after a garbage collection), " +
    "of the agent and of the kernel is read; the slope of a straight line through the points, the first 1,000 left out. " +
    "IPython keeps each cell's code and value, as it does everywhere.",
  limitMs: 180_000,
  async run(bench) {
    await using container = await createContainer(bench);
    await using client = await ExecutionClient.connect({ port: container.port });
    const processes = {
      client: () => process.memoryUsage().rss,
      agent: residentOf(container.id, await agentPid(container.id)),
      kernel: residentOf(container.id, Number((await client.execute("import os; os.getpid()")).text)),
    };
    const points = { client: [] as Point[], agent: [] as Point[], kernel: [] as Point[] };
    const total = bench.quick ? 4_000 : 10_000;
    for (let done = 0; done < total;) {
      for (const end = done + STEP; done < end; done += 1) await client.execute("1+1");
      if (done < 1_000) continue;
      globalThis.gc?.();
      for (const name of ["client", "agent", "kernel"] as const) points[name].push({ x: done, y: await processes[name]() });
    }
    const slopes = Object.entries(points).map(([name, series]) => ({ name, bytes: slope(series) }));
    return {
      figures: slopes.map(({ name, bytes }) => ({
        what: `growth of the ${name}'s memory, an execution`,
        subject: "ipybox",
        unit: "bytes",
        samples: [bytes],
      })),
      goals: slopes.map(({ name, bytes }) => atMost(`growth of the ${name}'s memory, an execution`, 1024, "bytes", bytes)),
    };
  },
};

interface Point {
  readonly x: number;
  readonly y: number;
}

function residentOf(containerId: string, pid: number): () => Promise<number> {
  return () => residentBytes(containerId, pid);
}

async function agentPid(containerId: string): Promise<number> {
  const script = "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline | grep -q '^[^ ]*node .*agent' && echo ${p#/proc/}; done";
  const [pid = ""] = (await inContainer(containerId, "0", "sh", "-c", `${script}; true`)).split("\n");
  if (!/^\d+$/.test(pid)) throw new Error("There is no agent in the container.");
  return Number(pid);
}
