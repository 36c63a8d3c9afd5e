import { describe, expect, it } from "vitest";
import { ExecutionClient, ExecutionContainer } from "ipybox";
import { verifies } from "../requirements.ts";
import { ownContainers } from "./docker.ts";
import { agentFootprint, children, ownFootprint, restingFootprint } from "./footprint.ts";
import { eventually, useContainer } from "./sandbox.ts";

const MIB = 1024 * 1024;

/** So many containers, one after the other; `LOAD_CYCLES=100` for a longer look. */
const CYCLES = Number(process.env["LOAD_CYCLES"] ?? 12);

/** What is there only once, or is reused, is there after so many. */
const WARM_UP = 3;

async function cycle(text: string): Promise<void> {
  await using container = await ExecutionContainer.create();
  await using client = await ExecutionClient.connect({ port: container.port });
  expect((await client.execute(`print('${text}')`)).text).toBe(text);
}

describe("containers", () => {
  it(
    `one after the other: ${CYCLES} all work, and leave nothing in this process`,
    async () => {
      verifies("LIFE-03");
      for (let round = 0; round < WARM_UP; round += 1) await cycle(`warm-up ${round}`);
      const before = await ownFootprint();
      for (let round = WARM_UP; round < CYCLES; round += 1) await cycle(`round ${round}`);
      await eventually(() => children().length === 0);
      const after = await ownFootprint();
      expect(after.handles).toEqual(before.handles);
      expect(after.descriptors).toBeLessThanOrEqual(before.descriptors);
      expect(after.bytes - before.bytes).toBeLessThan(4 * MIB + CYCLES * 20_000);
      expect(await ownContainers()).toEqual([]);
    },
    30_000 + CYCLES * 10_000,
  );

  it("10 at the same time all work", async () => {
    verifies("LIFE-03");
    await Promise.all(Array.from({ length: 10 }, (_, index) => cycle(`container ${index}`)));
    await eventually(() => children().length === 0);
    expect(await ownContainers()).toEqual([]);
  }, 120_000);
});

describe("one container", () => {
  const sandbox = useContainer();

  it("has 64 kernels at the same time, again and again, and nothing of them is left", async () => {
    verifies("LIFE-03", "KERN-01");
    const round = async (): Promise<void> => {
      const clients = await Promise.all(Array.from({ length: 64 }, () => sandbox.connect()));
      const results = await Promise.all(clients.map((client, index) => client.execute(`x = ${index}\nprint(x * 2)`)));
      expect(results.map(({ text }) => text)).toEqual(clients.map((_, index) => String(index * 2)));
      await Promise.all(clients.map((client) => client.disconnect()));
    };
    const { id } = sandbox.container;
    await round();
    const [before, own] = [await restingFootprint(id), await ownFootprint()];
    for (let again = 0; again < 3; again += 1) await round();
    await eventually(async () => (await agentFootprint(id)).zygote.descriptors === before.zygote.descriptors);
    const [after, ownAfter] = [await agentFootprint(id), await ownFootprint()];
    expect(after.agent.descriptors).toBe(before.agent.descriptors);
    expect(after.agent.bytes - before.agent.bytes).toBeLessThan(24 * MIB);
    expect(after.zygote.bytes - before.zygote.bytes).toBeLessThan(2 * MIB);
    expect(ownAfter.handles).toEqual(own.handles);
    expect(ownAfter.descriptors).toBeLessThanOrEqual(own.descriptors);
    expect(ownAfter.bytes - own.bytes).toBeLessThan(8 * MIB);
  }, 120_000);

  it("runs 10,000 cells in one kernel, and no memory grows with them", async () => {
    verifies("LIFE-03");
    const { id } = sandbox.container;
    await using client = await sandbox.connect();
    const run = async (from: number, to: number): Promise<void> => {
      for (let number = from; number < to; number += 1) {
        const { outputs } = await client.execute(`${number} + 1`);
        // Now and then IPython tells that it has dropped old values.
        expect(outputs.at(-1)).toMatchObject({ kind: "result", data: { "text/plain": `${number + 1}` } });
      }
    };
    const kernelKib = async (): Promise<number> => {
      const code = "import re; re.search(r'RssAnon:\\s+(\\d+)', open('/proc/self/status').read())[1]";
      return Number((await client.execute(code)).text?.replaceAll("'", ""));
    };
    // What the agent keeps for clients that come back is full.
    await client.execute("for _ in range(400): print('x' * 100_000)", { maxOutputBytes: 0 });
    await run(0, 2_000);
    const [agent, kernel, own] = [await agentFootprint(id), await kernelKib(), await ownFootprint()];
    await run(2_000, 10_000);
    const [agentAfter, kernelAfter, ownAfter] = [await agentFootprint(id), await kernelKib(), await ownFootprint()];
    expect(agentAfter.agent.descriptors).toBe(agent.agent.descriptors);
    expect(agentAfter.agent.bytes - agent.agent.bytes).toBeLessThan(16 * MIB);
    expect(kernelAfter - kernel).toBeLessThan(8_000);
    expect(ownAfter.handles).toEqual(own.handles);
    expect(ownAfter.descriptors).toBeLessThanOrEqual(own.descriptors);
    expect(ownAfter.bytes - own.bytes).toBeLessThan(8 * MIB);
  }, 180_000);
});
