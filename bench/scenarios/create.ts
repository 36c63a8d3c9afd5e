import { execFile } from "node:child_process";
import { promisify } from "node:util";
import Dockerode from "dockerode";
import { ExecutionClient, ExecutionContainer } from "ipybox";
import { type Bench, samples } from "../bench.ts";
import { ipyboxPython } from "../peers/ipybox-python.ts";
import { LIMITS } from "../peers/peer-container.ts";
import type { Figure, Scenario } from "../scenario.ts";
import { atMost } from "../scenario.ts";
import { median } from "../statistics.ts";

const run = promisify(execFile);

export const create: Scenario = {
  name: "create",
  title: "A new container to its first result",
  about:
    "From `ExecutionContainer.create` until the result of `1+1` has been read, the image being there. It is held against " +
    "`docker run --rm IMAGE true`, an empty command in a container of the same image and limits, in turns. " +
    "That command also removes its container, ours is removed after the clock has stopped; so the command's parts " +
    "create, start and wait alone are measured, too. For ipybox 0.6.7 it is the start of a container with the gateway " +
    "alone (its own also starts a second server), until the gateway answers and its client has the first result.",
  limitMs: 300_000,
  async run(bench) {
    const own: number[] = [];
    const runTrue: number[] = [];
    const startTrue: number[] = [];
    const ipybox: number[] = [];
    const rounds = samples(bench, 30);
    for (let round = -1; round < rounds; round += 1) {
      const taken = [await createToResult(bench), await dockerRunTrue(bench), await createAndStart(bench)] as const;
      if (round < 0) continue;
      own.push(taken[0]);
      runTrue.push(taken[1]);
      startTrue.push(taken[2]);
      if (round % 3 === 0) ipybox.push(await gatewayToResult(bench));
    }
    const figure = (subject: string, what: string, samples: readonly number[]): Figure => ({
      what,
      subject,
      unit: "ms",
      samples,
    });
    return {
      figures: [
        figure("ipybox", "create, connect and `1+1`", own),
        figure("docker run --rm IMAGE true", "the whole command", runTrue),
        figure("Docker's API", "create, start and wait for the same", startTrue),
        figure("ipybox 0.6.7 (Python)", "start the gateway, connect and `1+1`", ipybox),
      ],
      goals: [
        atMost(
          "new container to first result, as a multiple of `docker run --rm IMAGE true`",
          1.4,
          "×",
          median(own) / median(runTrue),
        ),
      ],
    };
  },
};

async function createToResult({ image }: Bench): Promise<number> {
  const startedAt = performance.now();
  await using container = await ExecutionContainer.create({ tag: image });
  await using client = await ExecutionClient.connect({ port: container.port });
  const { text } = await client.execute("1+1");
  const ms = performance.now() - startedAt;
  if (text !== "2") throw new Error(`1+1 gave ${text}.`);
  return ms;
}

async function dockerRunTrue({ image }: Bench): Promise<number> {
  const startedAt = performance.now();
  await run("docker", ["run", "--rm", ...LIMITS, "--entrypoint", "true", image]);
  return performance.now() - startedAt;
}

async function createAndStart({ image }: Bench): Promise<number> {
  const docker = new Dockerode();
  const startedAt = performance.now();
  const container = await docker.createContainer({ Image: image, Entrypoint: ["true"], Cmd: [] });
  await container.start();
  await container.wait();
  const ms = performance.now() - startedAt;
  await container.remove({ force: true });
  return ms;
}

async function gatewayToResult(bench: Bench): Promise<number> {
  const peer = ipyboxPython(bench);
  const startedAt = performance.now();
  try {
    await peer.prepare();
    await peer.perform("first", { code: "1+1", expect: "2", images: 0, count: 1 });
    return performance.now() - startedAt;
  } finally {
    await peer.dispose();
  }
}
