import { readFileSync } from "node:fs";
import type { SandboxFile } from "../../../src/engine/engine.ts";
import type { CreateRequest, Mutation } from "../../fakes/mutating-daemon.ts";

/** One hardening taken away, and the probes that must tell. */
export interface NamedMutation extends Mutation {
  /** The field or rule that is taken away. */
  readonly field: string;
  /** Ids of probes, each of which must see it. */
  readonly red: readonly string[];
}

interface SeccompRule {
  readonly names: readonly string[];
  readonly action: string;
}

interface SeccompDocument {
  archMap: { architecture: string; subArchitectures: string[] }[];
  syscalls: SeccompRule[];
}

const HOST = (field: string, change: (host: CreateRequest["HostConfig"]) => void, ...red: readonly string[]): NamedMutation => ({
  field: `HostConfig.${field}`,
  create: ({ HostConfig }) => change(HostConfig),
  red,
});

const ULIMIT = (name: string, red: string): NamedMutation =>
  HOST(`Ulimits.${name}`, (host) => (host.Ulimits = host.Ulimits?.filter(({ Name }) => Name !== name)), red);

/** Fields of Docker's API, each flipped to what it would be without hardening, or worse. */
const FIELDS: readonly NamedMutation[] = [
  HOST("Privileged", (host) => (host.Privileged = true), "devices", "agent-capabilities"),
  HOST("CapDrop", (host) => delete host.CapDrop, "agent-capabilities"),
  HOST("CapAdd", (host) => (host.CapAdd as string[]).push("DAC_OVERRIDE"), "agent-capabilities"),
  HOST("SecurityOpt.no-new-privileges", (host) => (host.SecurityOpt = securityOptions(host).slice(1)), "no-new-privileges"),
  HOST("SecurityOpt.seccomp", (host) => (host.SecurityOpt = securityOptions(host).slice(0, 1)), "io-uring", "vsock"),
  HOST("IpcMode", (host) => (host.IpcMode = "host"), "shm"),
  HOST("CgroupnsMode", (host) => (host.CgroupnsMode = "host"), "cgroup-path"),
  HOST("Sysctls", (host) => delete host.Sysctls, "ping-range"),
  HOST("Memory", (host) => Object.assign(host, { Memory: 0, MemorySwap: 0 }), "memory"),
  HOST("MemorySwap", (host) => (host.MemorySwap = -1), "swap"),
  HOST("OomScoreAdj", (host) => delete host.OomScoreAdj, "oom-order"),
  HOST("NanoCpus", (host) => delete host.NanoCpus, "cpu"),
  HOST("PidsLimit", (host) => delete host.PidsLimit, "pids-limit"),
  HOST("ShmSize", (host) => delete host.ShmSize, "shm"),
  HOST("Mounts", (host) => (host.Mounts = [{ Type: "bind", Source: "/etc", Target: "/mnt" }] as never), "host-mounts"),
  HOST("PidMode", (host) => (host.PidMode = "host"), "pids"),
  HOST("UTSMode", (host) => (host.UTSMode = "host"), "hostname"),
  HOST("MaskedPaths", (host) => (host.MaskedPaths = []), "masked"),
  HOST("ReadonlyPaths", (host) => (host.ReadonlyPaths = []), "read-only"),
  HOST(
    "Devices",
    (host) => (host.Devices = [{ PathOnHost: "/dev/null", PathInContainer: "/dev/extra", CgroupPermissions: "rwm" }]),
    "devices",
  ),
  ULIMIT("nofile", "open-files"),
  ULIMIT("core", "core"),
  ULIMIT("memlock", "locked-memory"),
  ULIMIT("msgqueue", "message-queues"),
  ULIMIT("fsize", "file-size"),
];

const SECCOMP = (rule: string, change: (document: SeccompDocument) => void, ...red: readonly string[]): NamedMutation => ({
  field: `seccomp.${rule}`,
  create: ({ HostConfig: host }) => {
    host.SecurityOpt = securityOptions(host).map((option) => {
      if (!option.startsWith("seccomp=")) return option;
      const document = JSON.parse(option.slice("seccomp=".length)) as SeccompDocument;
      change(document);
      return `seccomp=${JSON.stringify(document)}`;
    });
  },
  red,
});

/** Lets calls pass whatever their arguments are. */
const ALLOW = (red: string, ...names: readonly string[]): NamedMutation =>
  SECCOMP(
    red,
    (document) => {
      const others = document.syscalls.map((rule) => ({ ...rule, names: rule.names.filter((name) => !names.includes(name)) }));
      document.syscalls = [...others.filter((rule) => rule.names.length > 0), { names, action: "SCMP_ACT_ALLOW" }];
    },
    red,
  );

/** Rules of the seccomp profile, and groups of calls that it does not have. */
const SYSCALLS: readonly NamedMutation[] = [
  SECCOMP("architectures", ({ archMap }) => archMap[0]?.subArchitectures.push("SCMP_ARCH_X86", "SCMP_ARCH_X32"), "entry-32-bit"),
  ALLOW("io-uring", "io_uring_setup", "io_uring_enter", "io_uring_register"),
  ALLOW("aio", "io_setup", "io_submit"),
  ALLOW("tracing", "ptrace"),
  ALLOW("tracing", "process_vm_readv", "process_vm_writev"),
  ALLOW("tracing", "kcmp", "pidfd_getfd", "process_madvise"),
  ALLOW("bpf", "bpf"),
  ALLOW("perf", "perf_event_open"),
  ALLOW("userfaultfd", "userfaultfd"),
  ALLOW("fanotify", "fanotify_init"),
  ALLOW("keyrings", "add_key", "request_key", "keyctl"),
  ALLOW("file-handles", "name_to_handle_at"),
  ALLOW("mounts", "mount", "umount2", "chroot", "open_tree", "mount_setattr"),
  ALLOW("namespaces", "unshare", "setns"),
  ALLOW("clone-namespaces", "clone"),
  ALLOW("clone3", "clone3"),
  ALLOW("clocks", "clock_settime", "clock_adjtime"),
  ALLOW("hardware", "iopl", "ioperm", "modify_ldt"),
  ALLOW("hardware", "get_mempolicy", "mbind", "migrate_pages", "move_pages"),
  ALLOW("personality", "personality"),
  ALLOW("others-limits", "prlimit64"),
  ALLOW("families", "socket"),
  ALLOW("internet-kinds", "socket"),
  ALLOW("netlink", "socket"),
  ALLOW("pairs", "socketpair"),
];

const PRIVILEGES = "python/ipybox_kernel/privileges.py";

/** A line of our own, replaced. */
const LINE = (path: string, line: string, instead: string, ...red: readonly string[]): NamedMutation => ({
  field: `${path.split("/").at(-1)}: ${line}`,
  files: [changed(path, line, instead)],
  red,
});

/** What the agent, the zygote and kernels do by themselves, and what the image's recipe does. */
const LINES: readonly NamedMutation[] = [
  LINE(PRIVILEGES, 'file.write("1000")', 'file.write("500")', "oom-order"),
  LINE(PRIVILEGES, "range(_LAST_CAPABILITY_BOUND)", "range(0)", "bounding-set"),
  LINE(PRIVILEGES, "os.setresgid(gid, gid, gid)", "pass", "user"),
  LINE(PRIVILEGES, "os.setresuid(uid, uid, uid)", "pass", "user"),
  LINE(PRIVILEGES, "_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | _LANDLOCK_SCOPE_SIGNAL", "_LANDLOCK_SCOPE_SIGNAL", "sibling-sockets"),
  LINE(
    PRIVILEGES,
    "_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | _LANDLOCK_SCOPE_SIGNAL",
    "_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET",
    "sibling-signals",
  ),
  LINE(PRIVILEGES, "1 if _enter_domain() else 0", "1", "sibling-signals", "sibling-memory", "sibling-sockets"),
  LINE("python/ipybox_kernel/zygote.py", "os.umask(0o077)", "os.umask(0)", "agent-root", "unix-sockets"),
  LINE("python/ipybox_kernel/spawn.py", "os.closerange(3, _SOCKET_FD)", "pass", "leaked-descriptors"),
  LINE("dist/agent/agent.cjs", 'server.listen(AGENT_PORT, "::")', 'server.listen(AGENT_PORT, "0.0.0.0")', "agent-port-taken"),
  LINE("dist/agent/agent.cjs", 'scheme === "Bearer" && given.length', "true || given.length", "agent-port"),
  {
    field: "image: no setuid files",
    files: [{ path: "/usr/local/bin/true", mode: 0o4755, content: "#!/bin/sh\n" }],
    red: ["setuid-files"],
  },
  {
    field: "image: what root runs is root's",
    files: [{ path: "/etc/passwd", mode: 0o666, content: "root:x:0:0::/root:/bin/sh\n" }],
    red: ["system-files"],
  },
];

export const MUTATIONS: readonly NamedMutation[] = [...FIELDS, ...SYSCALLS, ...LINES];

/** Fields that are sent and confine nothing, each with the reason. */
export const NOT_CONFINING: Readonly<Record<string, string>> = {
  Image: "what was asked for",
  User: "the agent needs to be root; kernels are not, by privileges.py",
  Entrypoint: "the image's own, whatever it says",
  Cmd: "goes with Entrypoint",
  WorkingDir: "where the image has it",
  Labels: "how containers are found again",
  Env: "has the token's hash",
  Tty: "Docker's default, said for whoever reads",
  OpenStdin: "Docker's default",
  AttachStdin: "Docker's default",
  AttachStdout: "Docker's default",
  AttachStderr: "Docker's default",
  StopSignal: "how it ends",
  StopTimeout: "how it ends",
  Healthcheck: "no probe is made, which would be an exec",
  ExposedPorts: "goes with PortBindings",
  "HostConfig.PortBindings": "seen from outside: containment-outside.test.ts",
  "HostConfig.LogConfig": "seen from outside: containment-outside.test.ts",
  "HostConfig.RestartPolicy": "seen from outside: containment-outside.test.ts",
  "HostConfig.AutoRemove": "how it ends",
  "HostConfig.Init": "the image brings its own",
};

function securityOptions(host: CreateRequest["HostConfig"]): readonly string[] {
  return host.SecurityOpt as string[];
}

function changed(path: string, line: string, instead: string): SandboxFile {
  const content = readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
  if (!content.includes(line)) throw new Error(`${path} has no ${line}`);
  return { path: `/opt/ipybox/${path.replace(/^dist\//, "")}`, mode: 0o644, content: content.replace(line, instead) };
}
