import type Docker from "dockerode";

/** What the daemon tells of a container and of itself. */
export interface Facts {
  readonly container: Docker.ContainerInspectInfo;
  readonly info: { readonly SecurityOptions?: readonly string[]; readonly Swarm?: { readonly LocalNodeState?: string } };
}

/** A check of the CIS Docker Benchmark's section 5, container runtime: what is wrong, if anything is. */
export interface BenchCheck {
  readonly id: string;
  readonly title: string;
  readonly warning: (facts: Facts) => string | undefined;
}

type Host = Docker.HostConfig;

const host = ({ container }: Facts): Host => container.HostConfig;
const warnIf = (wrong: boolean, text: string): string | undefined => (wrong ? text : undefined);
const option = (facts: Facts, name: string): boolean =>
  (facts.info.SecurityOptions ?? []).some((one) => one.includes(`name=${name}`));
const sensitive = new Set(["/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr"]);

const isHost = (value: string | undefined): boolean => value === "host";

export const BENCH_CHECKS: readonly BenchCheck[] = [
  { id: "5.1", title: "swarm mode is not on", warning: ({ info }) => warnIf(info.Swarm?.LocalNodeState === "active", "it is") },
  {
    id: "5.2",
    title: "an AppArmor profile",
    warning: (facts) => warnIf(!option(facts, "apparmor") || !facts.container.AppArmorProfile, "none"),
  },
  { id: "5.3", title: "SELinux options", warning: (facts) => warnIf(!option(facts, "selinux"), "none") },
  {
    id: "5.4",
    title: "capabilities are restricted",
    warning: (facts) => {
      const { CapDrop: drop, CapAdd: add } = host(facts) as { CapDrop: string[] | null; CapAdd: string[] | null };
      const extra = (add ?? []).map((name) => name.replace(/^CAP_/, "")).filter((name) => !AGENTS.has(name));
      return warnIf(!drop?.includes("ALL") || extra.length > 0, `dropped ${String(drop)}, added ${String(add)}`);
    },
  },
  { id: "5.5", title: "not privileged", warning: (facts) => warnIf(host(facts).Privileged === true, "it is") },
  {
    id: "5.6",
    title: "no directory of the host's system is mounted",
    warning: ({ container }) => container.Mounts.map(({ Source }) => Source).find((source) => sensitive.has(source)),
  },
  {
    id: "5.7",
    title: "no ssh daemon",
    warning: ({ container }) => warnIf(/sshd/.test(container.Path + container.Args.join(" ")), "one"),
  },
  {
    id: "5.8",
    title: "no privileged port of the host",
    warning: (facts) => ports(facts).find(({ HostPort }) => Number(HostPort) < 1024)?.HostPort,
  },
  { id: "5.9", title: "one port only", warning: (facts) => warnIf(ports(facts).length !== 1, `${ports(facts).length} ports`) },
  { id: "5.10", title: "not the host's network", warning: (facts) => warnIf(isHost(host(facts).NetworkMode), "it is") },
  {
    id: "5.11",
    title: "memory is limited",
    warning: (facts) => warnIf(!host(facts).Memory || host(facts).MemorySwap !== host(facts).Memory, "not"),
  },
  { id: "5.12", title: "CPU time is limited", warning: (facts) => warnIf(!host(facts).NanoCpus, "not") },
  {
    id: "5.13",
    title: "the root file system is read-only",
    warning: (facts) => warnIf(host(facts).ReadonlyRootfs !== true, "it is not"),
  },
  {
    id: "5.14",
    title: "ports are published on one address",
    warning: (facts) => ports(facts).find(({ HostIp }) => HostIp !== "127.0.0.1")?.HostIp,
  },
  { id: "5.15", title: "no endless restarts", warning: (facts) => warnIf(host(facts).RestartPolicy?.Name !== "no", "restarts") },
  { id: "5.16", title: "processes of its own", warning: (facts) => warnIf(isHost(host(facts).PidMode), "the host's") },
  {
    id: "5.17",
    title: "shared memory of its own",
    warning: (facts) => warnIf(host(facts).IpcMode !== "private", String(host(facts).IpcMode)),
  },
  {
    id: "5.18",
    title: "no devices",
    warning: (facts) => warnIf(((host(facts).Devices as unknown[] | null)?.length ?? 0) > 0, "some"),
  },
  { id: "5.19", title: "own limits for processes", warning: (facts) => warnIf((host(facts).Ulimits ?? []).length === 0, "none") },
  {
    id: "5.20",
    title: "mounts are not shared",
    warning: ({ container }) => container.Mounts.map(({ Propagation }) => Propagation).find((one) => /shared/.test(one)),
  },
  { id: "5.21", title: "a host name of its own", warning: (facts) => warnIf(isHost(host(facts).UTSMode), "the host's") },
  {
    id: "5.22",
    title: "a seccomp profile",
    warning: (facts) => warnIf(!securityOptions(facts).some((one) => one.startsWith("seccomp={")), "none of its own"),
  },
  {
    id: "5.25",
    title: "control groups of its own",
    warning: (facts) => warnIf(Boolean(host(facts).CgroupParent), String(host(facts).CgroupParent)),
  },
  {
    id: "5.26",
    title: "no new privileges",
    warning: (facts) => warnIf(!securityOptions(facts).some((one) => /^no-new-privileges(:true)?$/.test(one)), "not set"),
  },
  {
    id: "5.27",
    title: "health is checked",
    warning: ({ container }) => warnIf(container.State.Health === undefined, "not by the engine"),
  },
  { id: "5.29", title: "processes are limited", warning: (facts) => warnIf((host(facts).PidsLimit ?? 0) <= 0, "not") },
  {
    id: "5.30",
    title: "not on Docker's default network",
    warning: ({ container }) => warnIf("bridge" in container.NetworkSettings.Networks, "it is"),
  },
  { id: "5.31", title: "not the host's users", warning: (facts) => warnIf(isHost(host(facts).UsernsMode), "the host's") },
  {
    id: "5.32",
    title: "no Docker socket",
    warning: ({ container }) => container.Mounts.map(({ Source }) => Source).find((source) => source.endsWith(".sock")),
  },
];

const AGENTS = new Set(["SETUID", "SETGID", "SETPCAP", "KILL", "SYS_NICE"]);

/** Warnings that are accepted, each with the reason. */
export const ACCEPTED: Readonly<Record<string, string>> = {
  "5.2": "where the host has no AppArmor; where it has, Docker applies its profile",
  "5.3": "where the host has no SELinux",
  "5.13": "packages can be installed; `readonlyRoot` makes it read-only",
  "5.27": "a probe would be an exec into the container; the owner watches the agent over its own connection",
  "5.30": "the network is what Docker gives, unless another is asked for",
};

function ports({ container }: Facts): readonly { readonly HostIp: string; readonly HostPort: string }[] {
  return Object.values(container.NetworkSettings.Ports).flatMap((bindings) => bindings ?? []);
}

function securityOptions(facts: Facts): readonly string[] {
  return host(facts).SecurityOpt as string[];
}
