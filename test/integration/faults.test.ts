import { describe, expect, it } from "vitest";
import { ExecutionClient, ExecutionContainer, ExecutionImage, IpyboxError } from "ipybox";
import { type Fault, faultyDaemon, lateDaemon } from "../fakes/faulty-daemon.ts";
import { verifies } from "../requirements.ts";
import { SOCKET, hasImage, ownContainers, removeImages } from "./docker.ts";
import { eventually, rejection } from "./sandbox.ts";

const ALL: readonly Fault[] = ["refuse", "half", "nonsense", "stall", "drop"];

/** Each request of a start, and what of it can go wrong. Some answers have nothing in them to look at. */
const STEPS: readonly (readonly [string, RegExp, readonly Fault[]])[] = [
  ["tells its version", /^GET \/version/, ["refuse", "half", "nonsense", "drop"]],
  ["looks up the image", /^GET \/images\/.*\/json/, ["refuse", "half", "nonsense", "drop"]],
  ["creates the container", /^POST \/containers\/create/, ALL],
  ["lays files into it", /^PUT \/containers\/.*\/archive/, ["refuse", "half", "stall", "drop"]],
  ["starts it", /^POST \/containers\/.*\/start/, ["refuse", "half", "stall", "drop"]],
  ["asks for its port", /^GET \/containers\/.*\/json/, ALL],
];

describe("a start of which the daemon", () => {
  const cases = STEPS.flatMap(([step, pattern, faults]) => faults.map((fault) => [step, fault, pattern] as const));

  it.each(cases)(
    "%s, with the fault %s, fails with a typed error in time and leaves nothing behind",
    async (_, fault, pattern) => {
      verifies("CONT-07", "CONT-09", "CONT-10");
      await using daemon = await faultyDaemon(SOCKET, pattern, fault);
      const startedAt = performance.now();
      const options = { dockerHost: daemon.dockerHost, startTimeoutMs: 3_000 };
      const caCertificates = pattern.source.startsWith("^PUT") ? ["/etc/ssl/certs/ca-certificates.crt"] : [];
      const error = await rejection(ExecutionContainer.create({ ...options, caCertificates }), IpyboxError);
      expect(performance.now() - startedAt).toBeLessThan(14_000);
      expect(["engine_failed", "daemon_unreachable", "container_start_failed"]).toContain(error.code);
      if (fault === "refuse") expect(error.message).toContain("the disk is on fire");
      if (fault === "stall") expect(error.message).toMatch(/did not (answer|start) within/);
      if (fault === "nonsense") expect(error.message).toMatch(/can't be understood|unexpected|no Docker daemon/);
      expect(await ownContainers()).toEqual([]);
    },
  );
});

describe("a container that the daemon makes when nobody waits for it any more", () => {
  it("is removed, too", async () => {
    verifies("CONT-07", "LIFE-02");
    await using daemon = await lateDaemon(SOCKET, /^POST \/containers\/create/);
    const creating = ExecutionContainer.create({ dockerHost: daemon.dockerHost, startTimeoutMs: 1_000 });
    expect((await rejection(creating, IpyboxError)).code).toBe("daemon_unreachable");
    expect(await daemon.done).toBe(201);
    await eventually(async () => (await ownContainers()).length === 0);
  });
});

describe("a program that is busy while the daemon answers", () => {
  it("gets its container all the same", async () => {
    verifies("CONT-10");
    await (await ExecutionContainer.create()).kill(); // what is loaded only once is there
    const creating = ExecutionContainer.create();
    setImmediate(() => {
      // The daemon has been asked for its version, and may take 4.5 s.
      const until = performance.now() + 6_000;
      while (performance.now() < until);
    });
    await using container = await creating;
    expect(container.port).toBeGreaterThan(0);
  });
});

describe("a removal of which the daemon", () => {
  it.each<[string, Fault]>([
    ["says no", "refuse"],
    ["drops the connection", "drop"],
  ])("%s is an error, and can be repeated", async (_, fault) => {
    verifies("CONT-09");
    await using daemon = await faultyDaemon(SOCKET, /^DELETE \/containers/, fault, { times: 1 });
    const container = await ExecutionContainer.create({ dockerHost: daemon.dockerHost });
    const error = await rejection(Promise.all([container.kill(), container.kill()]), IpyboxError);
    expect(error.message).toMatch(/can't be (removed|reached)/);
    await container.kill();
    expect(await ownContainers()).toEqual([]);
  });

  it("says no comes before the next start, which fails when it does", async () => {
    verifies("CONT-09");
    await using daemon = await faultyDaemon(SOCKET, /^DELETE \/containers/, "refuse", { times: 2 });
    await using container = await ExecutionContainer.create({ dockerHost: daemon.dockerHost });
    const { id } = container;
    await rejection(container.kill(), IpyboxError);
    await rejection(container.run(), IpyboxError);
    await container.run();
    expect(container.id).not.toBe(id);
    await using client = await ExecutionClient.connect({ port: container.port });
    expect((await client.execute("1 + 1")).text).toBe("2");
    expect(await ownContainers()).toHaveLength(1);
  });
});

describe("a build of which the daemon", () => {
  const tag = "ipybox-test/never";

  it.each<[string, Fault]>([
    ["answers half", "half"],
    ["answers nonsense", "nonsense"],
    ["drops the connection", "drop"],
    ["says no", "refuse"],
  ])("%s is an error, not a wait", async (_, fault) => {
    verifies("IMG-05");
    await removeImages(tag);
    await using daemon = await faultyDaemon(SOCKET, /^POST \/build/, fault);
    const error = await rejection(ExecutionImage.build({ tag, dockerHost: daemon.dockerHost }), IpyboxError);
    expect(["image_build_failed", "engine_failed", "daemon_unreachable"]).toContain(error.code);
    if (fault === "refuse") {
      expect(error.message).toContain("the disk is on fire");
      expect(await hasImage(tag)).toBe(false);
    }
    await removeImages(tag);
  });
});
