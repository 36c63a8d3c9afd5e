import type Docker from "dockerode";
import { AGENT_PORT } from "../../protocol/agent-config.ts";
import type { SandboxSpec } from "../engine.ts";

const PORT = `${AGENT_PORT}/tcp`;

/** How a sandbox is created: everything that confines it, field by field. */
export function containerProfile(spec: SandboxSpec, publishOn: string): Docker.ContainerCreateOptions {
  return {
    Image: spec.image,
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
      ...confinement(),
      ...bounds(spec),
      PortBindings: { [PORT]: [{ HostIp: publishOn, HostPort: spec.port === undefined ? "" : String(spec.port) }] },
      Mounts: spec.mounts.map((mount) => ({
        Type: "bind",
        Source: mount.source,
        Target: mount.target,
        ReadOnly: mount.readOnly,
      })),
      LogConfig: { Type: "json-file", Config: { "max-size": "1m", "max-file": "2" } },
      RestartPolicy: { Name: "no" },
      // Else the exit code and the OOM flag stay readable after the end.
      AutoRemove: spec.removeAtEnd,
      // The image brings its own init.
      Init: false,
    },
  };
}

function confinement(): Docker.HostConfig & { readonly CgroupnsMode: string } {
  return {
    Privileged: false,
    CapDrop: ["ALL"],
    // For the agent: it starts kernels under another uid and ends them. Kernels drop all of these.
    CapAdd: ["SETUID", "SETGID", "SETPCAP", "KILL"],
    SecurityOpt: ["no-new-privileges:true"],
    IpcMode: "private",
    CgroupnsMode: "private",
  };
}

function bounds(spec: SandboxSpec): Docker.HostConfig {
  return {
    Memory: spec.memoryBytes,
    // Equal to Memory: no swap.
    MemorySwap: spec.memoryBytes,
    NanoCpus: Math.round(spec.cpus * 1e9),
    PidsLimit: spec.pidsLimit,
    ShmSize: spec.shmBytes,
    Ulimits: [
      // Enough for 1,000 kernels, and below the hard limit of a daemon that is itself confined.
      { Name: "nofile", Soft: 16_384, Hard: 16_384 },
      { Name: "core", Soft: 0, Hard: 0 },
    ],
  };
}
