import { ExecutionClient } from "ipybox";
import { createContainer, samples } from "../bench.ts";
import { atLeast, atMost, type Figure, type Scenario } from "../scenario.ts";
import { statistics } from "../statistics.ts";

/** Times single calls of a host function, one after the other, from within a cell. */
const ONE_BY_ONE = (count: number): string => `
import json, time
from host import echo
laps = []
for n in range(${count}):
    started = time.perf_counter_ns()
    echo(n)
    laps.append((time.perf_counter_ns() - started) / 1e6)
print("samples", json.dumps(laps))
`;

/** Times many calls at once. */
const AT_ONCE = (count: number): string => `
import asyncio, json, time
from host.aio import echo
started = time.perf_counter()
values = await asyncio.gather(*(echo(n) for n in range(${count})))
assert values == list(range(${count}))
print("samples", json.dumps([${count} / (time.perf_counter() - started)]))
`;

export const hostCalls: Scenario = {
  name: "host-calls",
  title: "Calls of functions of the host",
  about:
    "A cell calls a function of the program that runs it, which gives back the number it is given: one call after the other, " +
    "each timed in the cell, and 1,000 at once from asyncio tasks.",
  limitMs: 120_000,
  async run(bench) {
    const rounds = samples(bench, 20);
    await using container = await createContainer(bench);
    await using client = await ExecutionClient.connect({ port: container.port });
    const input = { type: "object", properties: { n: { type: "integer" } }, required: ["n"] };
    await client.expose({ echo: { input, handler: ({ n }) => n } });
    const single = figure("one call, there and back", "ms");
    const parallel = figure("calls at once", "per second");
    for (let round = -1; round < rounds; round += 1) {
      const taken = [await measured(client, ONE_BY_ONE(200)), await measured(client, AT_ONCE(1_000))] as const;
      if (round < 0) continue;
      single.samples.push(...taken[0]);
      parallel.samples.push(...taken[1]);
    }
    return {
      figures: [single, parallel],
      goals: [
        atMost("one call of a host function, median", 1.5, "ms", statistics(single.samples).median),
        atLeast("calls of host functions a second, median", 1_000, "per second", statistics(parallel.samples).median),
      ],
    };
  },
};

function figure(what: string, unit: Figure["unit"]): Figure & { samples: number[] } {
  return { what, subject: "ipybox", unit, samples: [] };
}

async function measured(client: ExecutionClient, code: string): Promise<readonly number[]> {
  const { stdout } = await client.execute(code);
  const [, json] = /^samples (.*)$/m.exec(stdout) ?? [];
  return JSON.parse(json ?? "") as number[];
}
