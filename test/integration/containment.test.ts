import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { verifies } from "../requirements.ts";
import { type Group, type Outcomes, PROBE_ENV, PROBES, runProbes } from "./containment/probes.ts";
import { useContainer } from "./sandbox.ts";

const REQUIREMENT = {
  privilege: "SEC-01",
  syscalls: "SEC-02",
  sockets: "SEC-02",
  filesystem: "SEC-01",
  proc: "SEC-01",
  agent: "SEC-04",
  siblings: "SEC-04",
  bounds: "SEC-03",
  secrets: "SEC-09",
} as const satisfies Record<Group, string>;

const sandbox = useContainer({ env: PROBE_ENV });
let outcomes: Outcomes = {};

beforeAll(async () => {
  outcomes = await runProbes(sandbox.container);
});

describe.each(Object.entries(REQUIREMENT))("%s", (group, requirement) => {
  it.each(PROBES.filter((probe) => probe.group === group))("$id: $title", ({ id }) => {
    verifies(requirement);
    expect(outcomes).toHaveProperty(id);
    expect(outcomes[id]).toBeNull();
  });
});

it("is told in docs/security.md as it is: how many probes of each group there are", () => {
  const page = readFileSync(new URL("../../docs/security.md", import.meta.url), "utf8");
  const told = [...page.matchAll(/^\| (\w+) \| (\d+) \| all hold \|$/gm)].map(([, group, count]) => [group, Number(count)]);
  const groups = Object.keys(REQUIREMENT).map((group) => [group, PROBES.filter((probe) => probe.group === group).length]);
  expect(told).toEqual([...groups, ["all", PROBES.length]]);
});
