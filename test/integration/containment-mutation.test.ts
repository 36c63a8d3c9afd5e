import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { ExecutionContainer } from "ipybox";
import { containerProfile } from "../../src/engine/docker/profile.ts";
import type { SandboxFile } from "../../src/engine/engine.ts";
import { mutatingDaemon } from "../fakes/mutating-daemon.ts";
import { verifies } from "../requirements.ts";
import { MUTATIONS, type NamedMutation, UNSEEN_FIELDS } from "./containment/mutations.ts";
import { type Outcomes, PROBE_ENV, PROBES, runProbes } from "./containment/probes.ts";
import { SOCKET } from "./docker.ts";

/** Containers wait for the daemon most of their time. */
const AT_ONCE = 2;

/** With `MUTATIONS=each`, each hardening is taken away in a container of its own: three times as long. */
const APART = process.env.MUTATIONS === "each";

const outcomes = new Map<NamedMutation, Outcomes | Error>();

beforeAll(async () => {
  const waiting = containers();
  const work = async (): Promise<void> => {
    for (let mutations = waiting.shift(); mutations !== undefined; mutations = waiting.shift()) {
      const seen = await probe(mutations).catch((error: unknown) => error as Error);
      for (const mutation of mutations) outcomes.set(mutation, seen);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}, 600_000);

/** What is taken away in each container: one thing, or a batch in which no probe is turned red by two. */
function containers(): NamedMutation[][] {
  const all: NamedMutation[][] = [];
  for (const mutation of MUTATIONS) {
    const fits = ([first, ...more]: readonly NamedMutation[]): boolean =>
      first?.batch === mutation.batch && [first, ...more].every((one) => one?.red.every((id) => !mutation.red.includes(id)));
    const place = APART || mutation.batch === undefined ? undefined : all.find(fits);
    if (place === undefined) all.push([mutation]);
    else place.push(mutation);
  }
  return all;
}

async function probe(mutations: readonly NamedMutation[]): Promise<Outcomes> {
  const files = changedFiles(mutations);
  await using daemon = await mutatingDaemon(SOCKET, {
    create: (request) => mutations.forEach(({ create }) => create?.(request)),
    ...(files.length === 0 ? {} : { files }),
  });
  await using container = await ExecutionContainer.create({ dockerHost: daemon.dockerHost, env: PROBE_ENV });
  const red = mutations.flatMap((mutation) => mutation.red);
  const groups = new Set(PROBES.filter(({ id }) => red.includes(id)).map(({ group }) => group));
  return await runProbes(container, [...groups], red);
}

/** Files of the image as the mutations make them. */
function changedFiles(mutations: readonly NamedMutation[]): readonly SandboxFile[] {
  const contents = new Map<string, string>();
  for (const { line } of mutations) {
    if (line === undefined) continue;
    const content = contents.get(line.path) ?? readFileSync(new URL(`../../${line.path}`, import.meta.url), "utf8");
    if (!content.includes(line.line)) throw new Error(`${line.path} has no ${line.line}`);
    contents.set(line.path, content.replace(line.line, line.instead));
  }
  const lines = [...contents].map(([path, content]) => ({
    path: `/opt/ipybox/${path.replace(/^dist\//, "")}`,
    mode: 0o644,
    content,
  }));
  return [...lines, ...mutations.flatMap(({ file }) => (file === undefined ? [] : [file]))];
}

describe("without one hardening, a probe tells:", () => {
  it.each(MUTATIONS)("$field", (mutation) => {
    verifies("SEC-06");
    const seen = outcomes.get(mutation);
    if (seen === undefined || seen instanceof Error) throw seen ?? new Error("it was not tried");
    const green = mutation.red.filter((id) => typeof seen[id] !== "string");
    expect(green).toEqual([]);
  });
});

it("every field that the daemon is told is taken away by a mutation, or can't be seen from inside", () => {
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
  const limits = host?.Ulimits?.map(({ Name }) => `HostConfig.Ulimits.${Name}`) ?? [];
  const sent = [...Object.keys(own), ...Object.keys(host ?? {}).map((name) => `HostConfig.${name}`), ...limits];
  const taken = MUTATIONS.map((mutation) => mutation.field);
  const covered = (name: string): boolean => taken.some((field) => field === name || field.startsWith(`${name}.`));
  expect(sent.filter((name) => !covered(name) && UNSEEN_FIELDS[name] === undefined)).toEqual([]);
});

it("a mutation names only probes that there are", () => {
  verifies("SEC-06");
  const ids = PROBES.map(({ id }) => id);
  expect(MUTATIONS.flatMap(({ red }) => red).filter((id) => !ids.includes(id))).toEqual([]);
});
