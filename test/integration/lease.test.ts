import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { ContainerDiedError, ExecutionClient, ExecutionContainer } from "ipybox";
import { DockerEngine } from "../../src/engine/docker/docker-engine.ts";
import { faultyDaemon } from "../fakes/faulty-daemon.ts";
import { verifies } from "../requirements.ts";
import { Seeded } from "../seeded.ts";
import { docker, inspect, SOCKET } from "./docker.ts";
import { OwnerProcess } from "./owner-process.ts";
import { eventually, rejection } from "./sandbox.ts";

/** How many owners are killed; `LEASE_KILLS=100` for a longer look. */
const KILLS = Number(process.env["LEASE_KILLS"] ?? 10);

const GONE_MS = 30_000;

// Each test has owners of its own.
describe.concurrent("an owner that is killed", () => {
  it(
    `leaves nothing, at whichever moment: ${KILLS} times`,
    async () => {
      verifies("LIFE-01");
      const random = new Seeded();
      await random.reporting(async () => {
        const killed: { owner: OwnerProcess; moment: string; at: number }[] = [];
        for (let round = 0; round < KILLS; round += 1) {
          const owner = await OwnerProcess.start();
          const moment = random.pick(["create", "create", "run", "transfer", "kill"] as const);
          await owner.isAboutTo(moment);
          const laterMs = random.integer(0, random.pick([5, 300, 1_500]));
          await delay(laterMs);
          await owner.end("SIGKILL");
          killed.push({ owner, moment: `${laterMs} ms after ${moment}`, at: Date.now() });
        }
        const left = async (): Promise<readonly string[]> =>
          (
            await Promise.all(killed.map(async ({ owner, moment }) => ((await owner.remains()).length > 0 ? [moment] : [])))
          ).flat();
        const late: string[] = [];
        await eventually(async () => {
          const now = Date.now();
          for (const { owner, moment, at } of killed) {
            if (now - at > GONE_MS && (await owner.remains()).length > 0) late.push(moment);
          }
          return killed.every(({ at }) => now - at > 5_000) && (await left()).length === 0;
        }, GONE_MS + 5_000);
        expect(late).toEqual([]);
        // What the daemon was still about to do has not come after it.
        await delay(2_000);
        expect(await left()).toEqual([]);
        for (const { owner } of killed) await owner[Symbol.asyncDispose]();
      });
    },
    60_000 + KILLS * 15_000,
  );

  it.each(["", ", also when its user has logged out"])(
    "leaves no container that was created and not yet started%s",
    async (out) => {
      verifies("LIFE-01");
      await using daemon = await faultyDaemon(SOCKET, /POST \/containers\/\w+\/attach/, "stall");
      await using owner = await OwnerProcess.start([], { DOCKER_HOST: daemon.dockerHost });
      await owner.isAboutTo("create");
      // The daemon lists a container a moment before it finds it by its id.
      await eventually(async () => {
        const [id] = await owner.containers();
        return id !== undefined && (await inspect(id))?.State.Status === "created";
      }, 30_000);
      if (out !== "") await owner.logOut();
      await owner.end("SIGKILL");
      await eventually(async () => (await owner.remains()).length === 0, GONE_MS);
    },
    150_000,
  );

  it("leaves nothing when all around it is killed, too; one that is only stopped keeps its container, and so does a detached one", async () => {
    verifies("LIFE-01");
    await using abandoned = await OwnerProcess.start(["{}", "hold"]);
    await using stopped = await OwnerProcess.start(["{}", "hold"]);
    await using detached = await OwnerProcess.start(['{"detached":true}', "hold"]);
    const all = [abandoned, stopped, detached];
    for (const owner of all) await owner.isAboutTo("hold");
    const [inAbandoned = "", inStopped = "", inDetached = ""] = (
      await Promise.all(all.map((owner) => owner.containers()))
    ).flat();
    try {
      stopped.child.kill("SIGSTOP");
      abandoned.endGuards();
      await abandoned.end("SIGKILL");
      await detached.end("SIGKILL");
      await eventually(async () => (await inspect(inAbandoned)) === undefined, GONE_MS);
      await delay(3_000);
      expect((await inspect(inStopped))?.State.Running).toBe(true);
      expect((await inspect(inDetached))?.State.Running).toBe(true);
      stopped.child.kill("SIGCONT");
      await stopped.end("SIGTERM");
      await eventually(async () => (await stopped.remains()).length === 0, GONE_MS);
      expect((await inspect(inDetached))?.State.Running).toBe(true);
    } finally {
      await docker.getContainer(inDetached).remove({ force: true });
    }
  });
});

describe.concurrent("a client of a container", () => {
  it("is told that its owner is gone", async () => {
    verifies("LIFE-01", "KERN-07");
    await using owner = await OwnerProcess.start(["{}", "hold"]);
    await owner.isAboutTo("hold");
    const [id = ""] = await owner.containers();
    const { NetworkSettings, Config } = (await inspect(id)) ?? {};
    const port = Number(NetworkSettings?.Ports["8888/tcp"]?.[0]?.HostPort);
    expect(Config?.Env.join()).toContain("IPYBOX_TOKEN_SHA256");
    const { token } = await owner.entry();
    await using client = await ExecutionClient.connect({ port, token });
    const running = rejection(client.execute("import time; time.sleep(60)"), ContainerDiedError);
    owner.endGuards();
    await owner.end("SIGKILL");
    expect((await running).reason).toBe("the process that has started the container is gone");
  });

  it("is told how it ended, though it was removed at once", async () => {
    verifies("KERN-07");
    await using container = await ExecutionContainer.create();
    await using client = await ExecutionClient.connect({ port: container.port });
    const { id } = container;
    const running = rejection(client.execute("import time; time.sleep(60)"), ContainerDiedError);
    await docker.getContainer(id).kill({ signal: "SIGKILL" });
    expect((await running).reason).toBe("it ended with status 137, by SIGKILL from outside");
    await eventually(async () => (await inspect(id)) === undefined);
    expect(await new DockerEngine().ending(id)).toEqual({ exitCode: 137, oomKilled: false, signal: "SIGKILL" });
  });
});

it("a container runs also where no program can be started that would tidy up, the environment being too large for one", async () => {
  verifies("LIFE-02");
  vi.stubEnv("LARGE", "x".repeat(1 << 18));
  try {
    await using container = await ExecutionContainer.create();
    await using client = await ExecutionClient.connect({ port: container.port });
    expect((await client.execute("1 + 1")).text).toBe("2");
  } finally {
    vi.unstubAllEnvs();
  }
});

it("the library listens to nothing that happens to its process", async () => {
  verifies("LIFE-02");
  const listeners = (): Record<string, number> =>
    Object.fromEntries(process.eventNames().map((name) => [String(name), process.listenerCount(name)]));
  const before = listeners();
  await using container = await ExecutionContainer.create();
  await using client = await ExecutionClient.connect({ port: container.port });
  await client.execute("1 + 1");
  expect(listeners()).toEqual(before);
});
