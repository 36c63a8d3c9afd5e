import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { prepareBinds, parseBinds } from "./binds.ts";
import { readCaCertificates } from "./ca-certificates.ts";
import { callerUser } from "./caller.ts";
import type { Engine, EngineInfo, SandboxFile, SandboxSpec, SandboxTmpfs } from "./engine/engine.ts";
import { IpyboxError } from "./errors.ts";
import { fullImageName } from "./image-reference.ts";
import { canonicalPolicy, type NetworkPolicy, readPolicy } from "./network/policy.ts";
import { DEFAULTS, type ExecutionContainerOptions, type SandboxUser } from "./options.ts";
import { type AgentConfig, TOKEN_HASH_VARIABLE } from "./protocol/agent-config.ts";
import { CONTAINER_LABEL, CREATED_LABEL, IMAGE_LABEL, OWNER_LABEL, SESSION_LABEL } from "./protocol/labels.ts";
import { proxySettings } from "./proxies.ts";

/** One start of one container. */
export interface Session {
  readonly id: string;
  readonly token: string;
}

/** Turns options into what the engine is asked for, with binds and certificates made ready. */
export async function sandboxSpec(
  options: ExecutionContainerOptions,
  session: Session,
  engine: Engine,
  info: EngineInfo,
): Promise<SandboxSpec> {
  const mounts = parseBinds(options.binds ?? {});
  checkRuntime(options, info);
  // Host paths of a remote daemon can't be seen from here: it says itself what is missing.
  const user = options.user ?? callerUser();
  if (engine.isLocal) await prepareBinds(mounts, user, { anywhere: options.dangerouslyAllowBinds === true });
  if (options.cpus !== undefined && options.cpus > info.cpus) {
    const text = `ExecutionContainer: option "cpus" is ${options.cpus}, but the host has ${info.cpus}. Pass at most that.`;
    throw new IpyboxError("invalid_option", text, { details: { field: "cpus", given: options.cpus, available: info.cpus } });
  }
  const image = fullImageName(options.tag ?? DEFAULTS.tag);
  const memoryBytes = options.memoryBytes ?? Math.min(DEFAULTS.memoryBytes, info.memoryBytes);
  const diskBytes = diskBound(options);
  return {
    image,
    mounts,
    files: await certificateFiles(options.caCertificates ?? []),
    environment: { [TOKEN_HASH_VARIABLE]: createHash("sha256").update(session.token).digest("hex") },
    labels: {
      [CONTAINER_LABEL]: "1",
      [SESSION_LABEL]: session.id,
      [IMAGE_LABEL]: image,
      [OWNER_LABEL]: `${process.pid}@${hostname()}`,
      [CREATED_LABEL]: new Date().toISOString(),
    },
    port: options.port,
    removeAtEnd: options.detached !== true || options.idleTimeoutMs !== undefined,
    memoryBytes,
    cpus: options.cpus ?? Math.min(DEFAULTS.cpus, info.cpus),
    pidsLimit: options.pidsLimit ?? DEFAULTS.pidsLimit,
    shmBytes: options.shmBytes ?? DEFAULTS.shmBytes,
    openFilesLimit: options.openFilesLimit ?? DEFAULTS.openFilesLimit,
    coreBytes: options.coreBytes ?? DEFAULTS.coreBytes,
    logBytes: options.logBytes ?? DEFAULTS.logBytes,
    diskBytes,
    writable:
      options.readonlyRoot === true ? writableInMemory(user, Math.min(memoryBytes / 2, diskBytes ?? memoryBytes)) : undefined,
    runtime: options.runtime,
    syscalls: options.dangerouslyDisableSeccomp === true ? "all" : (options.dangerouslyAllowSyscalls ?? []),
  };
}

function diskBound({ diskBytes }: ExecutionContainerOptions): number | null {
  return diskBytes === undefined ? DEFAULTS.diskBytes : diskBytes;
}

/** What cells, and the agent, must be able to write to. */
function writableInMemory({ uid, gid }: SandboxUser, sizeBytes: number): readonly SandboxTmpfs[] {
  const cells = ["/app", "/home/ipybox"].map((path) => ({ path, sizeBytes, uid, gid, mode: 0o2775 }));
  const shared = ["/tmp", "/var/tmp"].map((path) => ({ path, sizeBytes, uid: 0, gid: 0, mode: 0o1777 }));
  return [...cells, ...shared, { path: "/run", sizeBytes: 16 * 1_048_576, uid: 0, gid: 0, mode: 0o755 }];
}

/** Runtimes whose sandboxes have a network stack of their own, on which Linux's rules have no effect. */
const OWN_NETWORK_STACK = /runsc|gvisor|kata|firecracker/i;

/** Makes sure that a policy has an effect in sandboxes of a runtime. */
export function checkPolicy(network: NetworkPolicy, runtime: string | undefined): void {
  if (network === "internet" || runtime === undefined || !OWN_NETWORK_STACK.test(runtime)) return;
  const text =
    `ExecutionContainer: option "network" can't be put into effect with the runtime ${JSON.stringify(runtime)}, which has a network ` +
    'stack of its own. Use "internet", or another runtime.';
  throw new IpyboxError("invalid_option", text, { details: { field: "network", runtime } });
}

function checkRuntime({ runtime, network = DEFAULTS.network }: ExecutionContainerOptions, { runtimes }: EngineInfo): void {
  if (runtime === undefined) return;
  checkPolicy(network, runtime);
  if (runtimes.includes(runtime)) return;
  const text =
    `ExecutionContainer: option "runtime" must be a runtime that the daemon has: ${runtimes.join(", ")}. ` +
    `Given was ${JSON.stringify(runtime)}. Install it and name it in the daemon's configuration, or pick another.`;
  throw new IpyboxError("invalid_option", text, { details: { field: "runtime", given: runtime, available: runtimes } });
}

/** What the agent of that start has to know. */
export function agentConfig(options: ExecutionContainerOptions): AgentConfig {
  const { user = callerUser(), env = {}, idleTimeoutMs = null, detached = false } = options;
  // In memory, the directories have sizes of their own.
  const diskBytes = options.readonlyRoot === true ? null : diskBound(options);
  const network = canonicalPolicy(readPolicy(options.network ?? DEFAULTS.network));
  return { ...user, env, proxies: proxySettings(), network, idleTimeoutMs, detached, diskBytes };
}

async function certificateFiles(paths: readonly string[]): Promise<readonly SandboxFile[]> {
  const certificates = await readCaCertificates(paths, "caCertificates");
  return certificates.map(({ name, pem }) => ({ path: `/run/ipybox/certificates/${name}`, mode: 0o644, content: pem }));
}
