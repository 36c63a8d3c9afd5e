import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { DEFAULTS, ExecutionClient, type ExecutionContainer } from "ipybox";
import { AGENT_PORT } from "../../../src/protocol/agent-config.ts";
import { docker } from "../docker.ts";

const GROUPS = ["privilege", "syscalls", "sockets", "filesystem", "proc", "agent", "siblings", "bounds", "secrets"] as const;

export type Group = (typeof GROUPS)[number];

/** One way out of a sandbox that must be closed. */
export interface Probe {
  readonly id: string;
  readonly group: Group;
  readonly title: string;
}

/** A value of `env` that must show nowhere but in cells' own environments. */
export const SECRET = "s3cr3t-value-of-env-4711";
export const PROBE_ENV: Readonly<Record<string, string>> = { PROBE_SECRET: SECRET };

const PRELUDE = source("prelude");
const SOURCES = new Map(GROUPS.map((group) => [group, source(group)]));

/** All probes, in the order of their groups. */
export const PROBES: readonly Probe[] = [...SOURCES.values()].flatMap((text) =>
  [...text.matchAll(/^@probe\("(\w+)", "([\w-]+)", "(.+)"\)$/gm)].map(([, group = "", id = "", title = ""]) => ({
    id,
    group: group as Group,
    title,
  })),
);

/** What each probe saw: null when the sandbox holds. */
export type Outcomes = Readonly<Record<string, string | null>>;

/** Runs the probes of some groups as cells, with another kernel as the victim of some. */
export async function runProbes(
  container: ExecutionContainer,
  groups: readonly Group[] = GROUPS,
  only?: readonly string[],
): Promise<Outcomes> {
  const { host, port, token } = container;
  await using victim = await ExecutionClient.connect({ host, port, token });
  await using client = await ExecutionClient.connect({ host, port, token });
  const victimSocket = "\0ipybox-probe-victim";
  const code = `import os, socket\nlistener = socket.socket(socket.AF_UNIX)\nlistener.bind(${JSON.stringify(victimSocket)})\nlistener.listen()\nos.getpid()`;
  const victimPid = Number((await victim.execute(code)).text);
  const context = await contextOf(container, { victimPid, victimSocket });
  const ids = PROBES.filter(({ id, group }) => groups.includes(group) && (only?.includes(id) ?? true)).map(({ id }) => id);
  const python = [PRELUDE, ...groups.map((group) => SOURCES.get(group) ?? "")].join("\n");
  await client.execute(python);
  const run = `run_probes(json.loads(${JSON.stringify(JSON.stringify(ids))}), json.loads(${JSON.stringify(JSON.stringify(context))}))`;
  const { stdout } = await client.execute(run);
  return JSON.parse(stdout) as Outcomes;
}

async function contextOf(container: ExecutionContainer, victim: object): Promise<object> {
  const host = (await docker.info()) as { readonly MemTotal: number; readonly NCPU: number };
  const { uid, gid } = process.getuid?.() === 0 ? DEFAULTS.user : { uid: process.getuid?.(), gid: process.getgid?.() };
  return {
    ...victim,
    uid,
    gid,
    agentPort: AGENT_PORT,
    // Backwards: else a probe would find it in itself.
    reversedToken: container.token.split("").reverse().join(""),
    tokenHash: createHash("sha256").update(container.token).digest("hex"),
    hostname: hostname(),
    memoryBytes: Math.min(DEFAULTS.memoryBytes, host.MemTotal),
    cpus: Math.min(DEFAULTS.cpus, host.NCPU),
    pidsLimit: DEFAULTS.pidsLimit,
    shmBytes: DEFAULTS.shmBytes,
    openFilesLimit: DEFAULTS.openFilesLimit,
    diskBytes: DEFAULTS.diskBytes,
  };
}

function source(name: string): string {
  return readFileSync(new URL(`${name}.py`, import.meta.url), "utf8");
}
