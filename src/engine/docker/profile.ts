import type Docker from "dockerode";
import { AGENT_PORT } from "../../protocol/agent-config.ts";
import type { SandboxSpec, SandboxTmpfs } from "../engine.ts";
import { seccompProfile } from "./seccomp.ts";

const PORT = `${AGENT_PORT}/tcp`;
const LOG_FILES = 2;
const PAGE_BYTES = 4096;
/** Of the disk: less than all of it, so that a write that is refused does not leave the disk full, which would end the kernel. */
const LARGEST_FILE = 15 / 16;

/** How a sandbox is created: everything that confines it, field by field. */
export function containerProfile(spec: SandboxSpec, publishOn: string): Docker.ContainerCreateOptions {
  return {
    Image: spec.image,
    // Whatever the image says: the agent starts kernels as another user, and nothing else is to run.
    User: "0:0",
    Entrypoint: ["/usr/bin/tini", "--", "/opt/ipybox/entrypoint.sh"],
    Cmd: [],
    WorkingDir: "/app",
    Labels: { ...spec.labels },
    Env: Object.entries(spec.environment).map(([name, value]) => `${name}=${value}`),
    Tty: false,
    OpenStdin: false,
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    StopSignal: "SIGTERM",
    StopTimeout: 5,
    // A probe would be an exec into the sandbox; the client watches the agent itself.
    Healthcheck: { Test: ["NONE"] },
    ExposedPorts: { [PORT]: {} },
    HostConfig: {
      ...confinement(spec),
      ...bounds(spec),
      ...fileSystem(spec),
      PortBindings: { [PORT]: [{ HostIp: publishOn, HostPort: spec.port === undefined ? "" : String(spec.port) }] },
      RestartPolicy: { Name: "no" },
      // Else the exit code and the OOM flag stay readable after the end.
      AutoRemove: spec.removeAtEnd,
      // The image brings its own init.
      Init: false,
    },
  };
}

function confinement(spec: SandboxSpec): Docker.HostConfig & { readonly CgroupnsMode: string } {
  const seccomp = spec.syscalls === "all" ? "unconfined" : seccompProfile(spec.syscalls);
  return {
    Privileged: false,
    CapDrop: ["ALL"],
    // For the agent: it starts kernels under another uid, ends them, and goes before what they start. Kernels drop all of these.
    CapAdd: ["SETUID", "SETGID", "SETPCAP", "KILL", "SYS_NICE"],
    SecurityOpt: ["no-new-privileges:true", `seccomp=${seccomp}`],
    IpcMode: "private",
    CgroupnsMode: "private",
    Sysctls: {
      // No group may open ping sockets, which carry data out without a connection.
      "net.ipv4.ping_group_range": "1 0",
      // Shared memory of System V has the bound of /dev/shm, and goes with the processes that use it.
      "kernel.shmall": String(Math.ceil(spec.shmBytes / PAGE_BYTES)),
      "kernel.shmmax": String(spec.shmBytes),
      "kernel.shm_rmid_forced": "1",
    },
    ...(spec.runtime === undefined ? {} : { Runtime: spec.runtime }),
  };
}

function bounds(spec: SandboxSpec): Docker.HostConfig {
  return {
    Memory: spec.memoryBytes,
    // Equal to Memory: no swap.
    MemorySwap: spec.memoryBytes,
    // When the host itself runs out of memory, sandboxes end before its own programs.
    OomScoreAdj: 500,
    NanoCpus: Math.round(spec.cpus * 1e9),
    PidsLimit: spec.pidsLimit,
    ShmSize: spec.shmBytes,
    Ulimits: [
      ulimit("nofile", spec.openFilesLimit),
      // Not 0, which a program that the host gives cores to ignores; below a page no core is made at all.
      ulimit("core", Math.max(spec.coreBytes, 1)),
      ulimit("memlock", 65_536),
      ulimit("msgqueue", 409_600),
      ...(spec.diskBytes === null ? [] : [ulimit("fsize", Math.floor(spec.diskBytes * LARGEST_FILE))]),
    ],
    LogConfig: {
      Type: "json-file",
      Config: { "max-size": String(Math.ceil(spec.logBytes / LOG_FILES)), "max-file": String(LOG_FILES) },
    },
  };
}

function ulimit(name: string, limit: number): Docker.Ulimit {
  return { Name: name, Soft: limit, Hard: limit };
}

function fileSystem({ mounts, writable }: SandboxSpec): Docker.HostConfig {
  return {
    Mounts: mounts.map((mount) => ({
      Type: "bind",
      Source: mount.source,
      Target: mount.target,
      ReadOnly: mount.readOnly,
    })),
    ...(writable === undefined
      ? {}
      : { ReadonlyRootfs: true, Tmpfs: Object.fromEntries(writable.map((tmpfs) => [tmpfs.path, tmpfsOptions(tmpfs)])) }),
  };
}

function tmpfsOptions({ sizeBytes, uid, gid, mode }: SandboxTmpfs): string {
  // `exec`, which Docker takes away by itself: packages and their builds run what they unpack.
  return `rw,nosuid,nodev,exec,size=${sizeBytes},uid=${uid},gid=${gid},mode=${mode.toString(8)}`;
}
