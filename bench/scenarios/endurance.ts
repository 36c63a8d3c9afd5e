import { ExecutionClient } from "ipybox";
import { type Bench, createContainer } from "../bench.ts";
import { inContainer, residentBytes } from "../docker.ts";
import { jupyterClient } from "../peers/jupyter-client.ts";
import { withPeers } from "../rounds.ts";
import { atMost, type Figure, type Scenario } from "../scenario.ts";
import { slope } from "../statistics.ts";

const STEP = 500;
/** So many executions are left out: everything still warms up in them. */
const WARM_UP = 1_000;

/** Bytes that a process has in use. */
type Gauge = () => number | Promise<number>;

export const endurance: Scenario = {
  name: "endurance",
  title: "Memory over 10,000 executions",
  about:
    "10,000 cells in one kernel. After every 500 the resident memory of the client's process (after a garbage collection), " +
    "of the agent and of the kernel is read; the slope of a straight line through the points, the first 1,000 left out. " +
    "The agent keeps the last outputs of each kernel for clients that come back, up to a limit; IPython keeps each cell's code " +
    "and value, as ipykernel does (5,000 cells).",
  limitMs: 240_000,
  async run(bench) {
    const own = await ownGrowth(bench);
    return {
      figures: [
        ...own.map(({ name, bytes }) => figure("ipybox", name, bytes)),
        figure("ipykernel", "kernel", await ipykernelGrowth(bench)),
      ],
      goals: own.map(({ name, bytes }) => atMost(`growth of the ${name}'s memory, an execution`, 1024, "bytes", bytes)),
    };
  },
};

function figure(subject: string, name: string, bytes: number): Figure {
  return { what: `growth of the ${name}'s memory, an execution`, subject, unit: "bytes", samples: [bytes] };
}

async function ownGrowth(bench: Bench): Promise<readonly { readonly name: string; readonly bytes: number }[]> {
  await using container = await createContainer(bench);
  await using client = await ExecutionClient.connect({ port: container.port });
  const agent = await agentPid(container.id);
  const kernel = Number((await client.execute("import os; os.getpid()")).text);
  const names = ["client", "agent", "kernel"];
  const slopes = await growth(
    bench.quick ? 4_000 : 10_000,
    async () => {
      for (let index = 0; index < STEP; index += 1) await client.execute("1+1");
      globalThis.gc?.();
    },
    [() => process.memoryUsage().rss, () => residentBytes(container.id, agent), () => residentBytes(container.id, kernel)],
  );
  return names.map((name, index) => ({ name, bytes: slopes[index] ?? NaN }));
}

async function ipykernelGrowth(bench: Bench): Promise<number> {
  const peer = jupyterClient(bench);
  return withPeers([peer], async () => {
    const pid = await peer.perform("pid", {});
    const run = (): Promise<unknown> => peer.perform("execute", { code: "1+1", expect: "2", count: STEP, pauseMs: 0 });
    const [bytes = NaN] = await growth(bench.quick ? 2_000 : 5_000, run, [() => residentBytes(peer.containerId, pid)]);
    return bytes;
  });
}

/** Bytes an execution by which each gauge grows, over so many executions of which `run` does `STEP`. */
async function growth(total: number, run: () => Promise<unknown>, gauges: readonly Gauge[]): Promise<readonly number[]> {
  const series = gauges.map(() => [] as { x: number; y: number }[]);
  for (let done = STEP; done <= total; done += STEP) {
    await run();
    if (done < WARM_UP) continue;
    for (const [index, gauge] of gauges.entries()) series[index]?.push({ x: done, y: await gauge() });
  }
  return series.map(slope);
}

async function agentPid(containerId: string): Promise<number> {
  const script = "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline | grep -q '^[^ ]*node .*agent' && echo ${p#/proc/}; done";
  const [pid = ""] = (await inContainer(containerId, "0", "sh", "-c", `${script}; true`)).split("\n");
  if (!/^\d+$/.test(pid)) throw new Error("There is no agent in the container.");
  return Number(pid);
}
