import type { SandboxFile } from "../../../src/engine/engine.ts";
import type { CreateRequest } from "../../fakes/mutating-daemon.ts";

/** One hardening taken away, and the probes that must tell. */
export interface NamedMutation {
  /** The field or rule that is taken away. */
  readonly field: string;
  /** Ids of probes, each of which must see it. */
  readonly red: readonly string[];
  /** Those of one batch may be taken away at once: their probes look at nothing that another one changes. */
  readonly batch?: string;
  /** Changes what the container is created from. */
  readonly create?: (request: CreateRequest) => void;
  /** Replaces a line of our own. */
  readonly line?: { readonly path: string; readonly line: string; readonly instead: string };
  /** Replaces a file of the image. */
  readonly file?: SandboxFile;
}

interface SeccompRule {
  readonly names: readonly string[];
  readonly action: string;
}

interface SeccompDocument {
  archMap: { architecture: string; subArchitectures: string[] }[];
  syscalls: SeccompRule[];
}

type Change = (host: CreateRequest["HostConfig"]) => void;

const field = (name: string, change: Change, ...red: readonly string[]): NamedMutation => ({
  field: `HostConfig.${name}`,
  create: ({ HostConfig }) => change(HostConfig),
  red,
});

const together = (batch: string, ...mutations: readonly NamedMutation[]): readonly NamedMutation[] =>
  mutations.map((mutation) => ({ ...mutation, batch }));

const ulimit = (name: string, red: string): NamedMutation =>
  field(`Ulimits.${name}`, (host) => (host.Ulimits = host.Ulimits?.filter(({ Name }) => Name !== name)), red);

/** Fields of Docker's API, each flipped to what it would be without hardening, or worse. */
const FIELDS: readonly NamedMutation[] = [
  field("CapDrop", (host) => delete host.CapDrop, "agent-capabilities"),
  field("CapAdd", (host) => (host.CapAdd as string[]).push("DAC_OVERRIDE"), "agent-capabilities"),
  field("SecurityOpt.no-new-privileges", (host) => (host.SecurityOpt = securityOptions(host).slice(1)), "no-new-privileges"),
  field("SecurityOpt.seccomp", (host) => (host.SecurityOpt = securityOptions(host).slice(0, 1)), "io-uring", "vsock"),
  field("SecurityOpt.seccomp off", (host) => (host.SecurityOpt = ["no-new-privileges", "seccomp=unconfined"]), "seccomp", "bpf"),
  field("IpcMode", (host) => Object.assign(host, { IpcMode: "host", Sysctls: {} }), "shm"),
  field("Memory", (host) => Object.assign(host, { Memory: 0, MemorySwap: 0 }), "memory"),
  field("PidMode", (host) => (host.PidMode = "host"), "pids"),
  ...together(
    "limits",
    field("MemorySwap", (host) => (host.MemorySwap = -1), "swap"),
    field("OomScoreAdj", (host) => delete host.OomScoreAdj, "oom-order"),
    field("NanoCpus", (host) => delete host.NanoCpus, "cpu"),
    field("PidsLimit", (host) => delete host.PidsLimit, "pids-limit"),
    field("ShmSize", (host) => delete host.ShmSize, "shm"),
    ulimit("nofile", "open-files"),
    ulimit("core", "core"),
    ulimit("memlock", "locked-memory"),
    ulimit("msgqueue", "message-queues"),
    ulimit("fsize", "file-size"),
  ),
  ...together(
    "surroundings",
    field("CgroupnsMode", (host) => (host.CgroupnsMode = "host"), "cgroup-path"),
    field("Sysctls", (host) => delete host.Sysctls, "ping-range", "sysv-shm"),
    field("Mounts", (host) => (host.Mounts = [{ Type: "bind", Source: "/etc", Target: "/mnt" }] as never), "host-mounts"),
    field("UTSMode", (host) => (host.UTSMode = "host"), "hostname"),
    field("MaskedPaths", (host) => (host.MaskedPaths = []), "masked"),
    field("ReadonlyPaths", (host) => (host.ReadonlyPaths = []), "read-only"),
    field(
      "Devices",
      (host) => (host.Devices = [{ PathOnHost: "/dev/null", PathInContainer: "/dev/extra", CgroupPermissions: "r" }]),
      "devices",
    ),
  ),
];

const seccomp = (rule: string, change: (document: SeccompDocument) => void, ...red: readonly string[]): NamedMutation => ({
  field: `seccomp: ${rule}`,
  create: ({ HostConfig: host }) => {
    host.SecurityOpt = securityOptions(host).map((option) => {
      if (!option.startsWith("seccomp=")) return option;
      const document = JSON.parse(option.slice("seccomp=".length)) as SeccompDocument;
      change(document);
      return `seccomp=${JSON.stringify(document)}`;
    });
  },
  red,
  batch: "seccomp",
});

/** Lets calls pass whatever their arguments are. */
const allow = (red: string, ...names: readonly string[]): NamedMutation =>
  seccomp(
    names.join(", "),
    (document) => {
      const others = document.syscalls.map((rule) => ({ ...rule, names: rule.names.filter((name) => !names.includes(name)) }));
      document.syscalls = [...others.filter((rule) => rule.names.length > 0), { names, action: "SCMP_ACT_ALLOW" }];
    },
    red,
  );

/** Rules of the seccomp profile, and groups of calls that it does not have. */
const SYSCALLS: readonly NamedMutation[] = [
  {
    ...seccomp("architectures", ({ archMap }) => archMap[0]?.subArchitectures.push("SCMP_ARCH_X86"), "entry-32-bit"),
    batch: "32-bit",
  },
  { ...seccomp("x32", ({ archMap }) => archMap[0]?.subArchitectures.push("SCMP_ARCH_X32"), "entry-x32"), batch: "32-bit" },
  allow("io-uring", "io_uring_setup", "io_uring_enter", "io_uring_register"),
  allow("aio", "io_setup", "io_submit"),
  allow("tracing", "ptrace"),
  allow("tracing", "process_vm_readv", "process_vm_writev"),
  allow("tracing", "kcmp", "pidfd_getfd", "process_madvise"),
  allow("bpf", "bpf"),
  allow("perf", "perf_event_open"),
  allow("userfaultfd", "userfaultfd"),
  allow("fanotify", "fanotify_init"),
  allow("keyrings", "add_key", "request_key", "keyctl"),
  allow("file-handles", "name_to_handle_at"),
  allow("mounts", "mount", "umount2", "chroot", "open_tree", "mount_setattr"),
  allow("namespaces", "unshare", "setns"),
  allow("clone-namespaces", "clone"),
  allow("clone3", "clone3"),
  allow("clocks", "clock_settime", "clock_adjtime"),
  allow("hardware", "iopl", "ioperm", "modify_ldt"),
  allow("hardware", "get_mempolicy", "mbind", "migrate_pages", "move_pages"),
  allow("personality", "personality"),
  { ...allow("others-limits", "prlimit64"), red: ["others-limits", "core-limit"] },
  { ...allow("families", "socket"), red: ["families", "internet-kinds", "netlink", "vsock"] },
  allow("pairs", "socketpair"),
];

const PRIVILEGES = "python/ipybox_kernel/privileges.py";
const AGENT = "dist/agent/agent.cjs";
const LANDLOCK = "python/ipybox_kernel/landlock.py";
const SCOPES = "_SCOPE_ABSTRACT_UNIX_SOCKET | _SCOPE_SIGNAL";

const line = (path: string, text: string, instead: string, ...red: readonly string[]): NamedMutation => ({
  field: `${path.split("/").at(-1)}: ${text} → ${instead}`,
  line: { path, line: text, instead },
  red,
});

const file = (what: string, path: string, mode: number, content: string, red: string): NamedMutation => ({
  field: `image: ${what}`,
  file: { path, mode, content },
  red: [red],
});

/**
 * What the agent, the zygote and kernels do by themselves, and what the image's recipe does. Without
 * `setresuid` or `setresgid` no kernel starts, which looks who it is. Three more lines of `privileges.py` are not here, because taking one of them away leaves nothing open: `setgroups` (root of the container is in
 * no group that gives it anything), `capset` (`setresuid` empties all sets but the inheritable one, which is empty
 * from the start), and `PR_SET_NO_NEW_PRIVS` (the container has it for all of its processes).
 */
const LINES: readonly NamedMutation[] = [
  line(LANDLOCK, SCOPES, "_SCOPE_SIGNAL", "sibling-sockets"),
  line(LANDLOCK, SCOPES, "_SCOPE_ABSTRACT_UNIX_SOCKET", "sibling-signals"),
  line(LANDLOCK, 'not in ("proc", "sys")', 'not in ("sys",)', "oom-lower"),
  line(
    PRIVILEGES,
    "1 if landlock.enter_domain(ruleset) else 0",
    "1",
    "sibling-signals",
    "sibling-memory",
    "sibling-sockets",
    "oom-lower",
  ),
  ...together(
    "lines",
    line(PRIVILEGES, 'os.write(score, b"1000")', 'os.write(score, b"500")', "oom-order"),
    line(PRIVILEGES, "for capability in _bounding_set():", "for capability in ():", "bounding-set"),
    line("python/ipybox_kernel/zygote.py", "os.umask(0o077)", "os.umask(0)", "agent-root", "unix-sockets"),
    line("python/ipybox_kernel/spawn.py", "os.closerange(3, _STDOUT_SLOT_FD)", "pass", "leaked-descriptors"),
    line(AGENT, 'server.listen(AGENT_PORT, "::")', 'server.listen(AGENT_PORT, "0.0.0.0")', "agent-port-taken"),
    line(AGENT, 'scheme === "Bearer" && given.length', "true || given.length", "agent-port"),
    file("no setuid files", "/usr/local/bin/true", 0o4755, "#!/bin/sh\n", "setuid-files"),
    file("what is root's", "/etc/passwd", 0o666, "root:x:0:0::/root:/bin/sh\n", "system-files"),
    file("no shared places", "/usr/local/lib/open/", 0o777, "", "writable"),
  ),
];

export const MUTATIONS: readonly NamedMutation[] = [...FIELDS, ...SYSCALLS, ...LINES];

const OUTSIDE = "seen from outside: containment-outside.test.ts";

/** Fields that are sent and that no probe in the container can see, each with the reason. */
export const UNSEEN_FIELDS: Readonly<Record<string, string>> = {
  Image: "what was asked for",
  User: "the agent needs to be root; kernels are not, by privileges.py",
  Entrypoint: "the image's own, whatever it says",
  Cmd: "goes with Entrypoint",
  WorkingDir: "where the image has it",
  Labels: "how containers are found again",
  Env: "has the token's hash",
  Tty: OUTSIDE,
  OpenStdin: OUTSIDE,
  AttachStdin: "how it is started",
  AttachStdout: "how it is started",
  AttachStderr: "how it is started",
  StopSignal: "how it ends",
  StopTimeout: "how it ends",
  Healthcheck: OUTSIDE,
  ExposedPorts: "goes with PortBindings",
  "HostConfig.Privileged": OUTSIDE,
  "HostConfig.PortBindings": OUTSIDE,
  "HostConfig.LogConfig": OUTSIDE,
  "HostConfig.RestartPolicy": OUTSIDE,
  "HostConfig.Runtime": "an option",
  "HostConfig.AutoRemove": "how it ends",
  "HostConfig.Init": "the image brings its own",
};

function securityOptions(host: CreateRequest["HostConfig"]): readonly string[] {
  return host.SecurityOpt as string[];
}
