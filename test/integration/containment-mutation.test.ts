import { beforeAll, describe, expect, it } from "vitest";
import { ExecutionContainer } from "ipybox";
import { containerProfile } from "../../src/engine/docker/profile.ts";
import { mutatingDaemon } from "../fakes/mutating-daemon.ts";
import { verifies } from "../requirements.ts";
import { MUTATIONS, type NamedMutation, NOT_CONFINING } from "./containment/mutations.ts";
import { type Outcomes, PROBE_ENV, PROBES, runProbes } from "./containment/probes.ts";
import { SOCKET } from "./docker.ts";

/** Containers wait for the daemon most of their time. */
const AT_ONCE = 3;

const outcomes = new Map<NamedMutation, Outcomes | Error>();

beforeAll(async () => {
  const waiting = [...MUTATIONS];
  const work = async (): Promise<void> => {
    for (let mutation = waiting.shift(); mutation !== undefined; mutation = waiting.shift()) {
      outcomes.set(mutation, await probe(mutation).catch((error: unknown) => error as Error));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}, 300_000);

async function probe(mutation: NamedMutation): Promise<Outcomes> {
  await using daemon = await mutatingDaemon(SOCKET, mutation);
  await using container = await ExecutionContainer.create({ dockerHost: daemon.dockerHost, env: PROBE_ENV });
  const groups = new Set(PROBES.filter(({ id }) => mutation.red.includes(id)).map(({ group }) => group));
  return await runProbes(container, [...groups], mutation.red);
}

describe("without one hardening, a probe tells:", () => {
  it.each(MUTATIONS)("$field", (mutation) => {
    verifies("SEC-06");
    const seen = outcomes.get(mutation);
    if (seen === undefined || seen instanceof Error) throw seen ?? new Error("it was not tried");
    for (const id of mutation.red) expect(seen[id], id).toEqual(expect.any(String));
  });
});

it("every field that the daemon is told is taken away by a mutation, or known to confine nothing", () => {
  verifies("SEC-06");
  const profile = containerProfile(
    {
      ...{ image: "i", mounts: [], files: [], environment: {}, labels: {}, port: undefined, removeAtEnd: false, runtime: "r" },
      ...{ memoryBytes: 1, cpus: 1, pidsLimit: 1, shmBytes: 1, openFilesLimit: 1, coreBytes: 1, logBytes: 1, diskBytes: 1 },
      ...{ writable: undefined, syscalls: [] },
    },
    "127.0.0.1",
  );
  const { HostConfig: host, ...own } = profile;
  const sent = [...Object.keys(own), ...Object.keys(host ?? {}).map((name) => `HostConfig.${name}`)];
  const taken = new Set(MUTATIONS.map(({ field }) => field.split(".").slice(0, 2).join(".")));
  expect(
    sent.filter((field) => !taken.has(field) && NOT_CONFINING[field] === undefined && field !== "HostConfig.Runtime"),
  ).toEqual([]);
});

it("every probe that is no control is turned red by a mutation, or is one of several for the same rule", () => {
  verifies("SEC-06");
  const turned = new Set(MUTATIONS.flatMap(({ red }) => red));
  const others = PROBES.map(({ id }) => id).filter((id) => !turned.has(id) && !id.startsWith("control-"));
  expect(others).toMatchInlineSnapshot();
});
