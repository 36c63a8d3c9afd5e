import { readdir, readFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { ExecutionClient, ExecutionContainer, ExecutionError, IpyboxError } from "ipybox";
import { verifies } from "../requirements.ts";
import { ACCEPTED, BENCH_CHECKS, type Facts } from "./containment/bench.ts";
import { PROBE_ENV, SECRET } from "./containment/probes.ts";
import { docker, inspect } from "./docker.ts";
import { rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer({ env: PROBE_ENV });

describe("the CIS Docker Benchmark's checks of a container", () => {
  let facts: Facts;

  beforeAll(async () => {
    const container = await inspect(sandbox.container.id);
    if (container === undefined) throw new Error("the container is not there");
    facts = { container, info: (await docker.info()) as Facts["info"] };
  });

  it.each(BENCH_CHECKS)("$id $title", ({ id, warning }) => {
    verifies("SEC-01", "SEC-03");
    const found = warning(facts);
    if (ACCEPTED[id] === undefined) expect(found).toBeUndefined();
  });

  it("would warn of a container that Docker makes by itself", async () => {
    verifies("SEC-01");
    const plain = await docker.createContainer({
      Image: facts.container.Config.Image,
      Entrypoint: ["/bin/sleep", "60"],
      HostConfig: { Privileged: true, PidMode: "host", Binds: ["/etc:/mnt:shared"], NetworkMode: "host" },
    });
    try {
      const seen: Facts = { ...facts, container: await plain.inspect() };
      const warned = BENCH_CHECKS.filter(({ warning }) => warning(seen) !== undefined).map(({ id }) => id);
      expect(warned).toEqual(
        expect.arrayContaining(["5.4", "5.5", "5.10", "5.11", "5.12", "5.16", "5.19", "5.22", "5.26", "5.29"]),
      );
    } finally {
      await plain.remove({ force: true });
    }
  });

  it("in short: the log is bounded, and nothing waits for input", async () => {
    verifies("SEC-03");
    expect(facts.container.HostConfig.LogConfig).toEqual({
      Type: "json-file",
      Config: { "max-size": "1048576", "max-file": "2" },
    });
    expect(facts.container.Config).toMatchObject({ Tty: false, OpenStdin: false });
  });
});

describe("secrets", () => {
  it("are in nothing that the daemon tells: not in its description, not in the log, not in the list of processes", async () => {
    verifies("SEC-09");
    const { id, token } = sandbox.container;
    const log = await docker.getContainer(id).logs({ stdout: true, stderr: true, follow: false });
    const processes = await docker.getContainer(id).top({ ps_args: "axeww -o pid,user,args" });
    const roots = (processes.Processes as string[][]).filter(([, user]) => user === "root");
    for (const text of [JSON.stringify(await inspect(id)), log.toString("latin1"), JSON.stringify(roots)]) {
      expect(text).not.toContain(token);
      expect(text).not.toContain(SECRET);
    }
    expect(roots.length).toBeGreaterThan(1);
  });

  it("are in no error: of a failed cell, of a wrong option, of a port that does not answer", async () => {
    verifies("SEC-09");
    const { host, port, token } = sandbox.container;
    await using client = await ExecutionClient.connect({ host, port, token });
    const errors = [
      await rejection(client.execute("1 / 0"), ExecutionError),
      await rejection(ExecutionClient.attach({ host, port, token, kernelId: "00000000-nothing" }), IpyboxError),
      await rejection(ExecutionClient.connect({ host, port, token: `${token}x` }), IpyboxError),
      await rejection(ExecutionClient.connect({ host, port: 1, token, connectTimeoutMs: 1_000 }), IpyboxError),
      await rejection(ExecutionContainer.create({ env: { [SECRET]: 1 as never, "": token } }), IpyboxError),
    ];
    for (const error of errors) expect(describeAll(error)).not.toContain(token);
    for (const error of errors.slice(0, 4)) expect(describeAll(error)).not.toContain(SECRET);
  });

  it("are in no argument list of the host", async () => {
    verifies("SEC-09");
    const { token } = sandbox.container;
    for (const pid of await readdir("/proc")) {
      const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      expect(line).not.toContain(token);
    }
  });
});

/** All that a log might show of an error. */
function describeAll(error: Error): string {
  const cause = error.cause instanceof Error ? describeAll(error.cause) : String(error.cause);
  return [error.stack, error.message, JSON.stringify(Object.entries(error)), cause].join("\n");
}
