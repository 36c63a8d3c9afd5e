import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { prepareBinds, parseBinds } from "./binds.ts";
import { readCaCertificates } from "./ca-certificates.ts";
import { callerUser } from "./caller.ts";
import type { Engine, EngineInfo, SandboxFile, SandboxSpec } from "./engine/engine.ts";
import { IpyboxError } from "./errors.ts";
import { fullImageName } from "./image-reference.ts";
import { canonicalPolicy, readPolicy } from "./network/policy.ts";
import { DEFAULTS, type ExecutionContainerOptions } from "./options.ts";
import { type AgentConfig, TOKEN_HASH_VARIABLE } from "./protocol/agent-config.ts";
import { proxySettings } from "./proxies.ts";

/** Labels of a container. Nothing without the first is ever touched. */
export const CONTAINER_LABEL = "ipybox.container";
export const SESSION_LABEL = "ipybox.session";
export const IMAGE_LABEL = "ipybox.tag";
export const OWNER_LABEL = "ipybox.owner";
export const CREATED_LABEL = "ipybox.created";
/** Besides, on a container that does something for another one and ends. */
export const HELPER_LABEL = "ipybox.helper";

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
  // Host paths of a remote daemon can't be seen from here: it says itself what is missing.
  if (engine.isLocal) await prepareBinds(mounts, options.user ?? callerUser());
  if (options.cpus !== undefined && options.cpus > info.cpus) {
    const text = `ExecutionContainer: option "cpus" is ${options.cpus}, but the host has ${info.cpus}. Pass at most that.`;
    throw new IpyboxError("invalid_option", text, { details: { field: "cpus", given: options.cpus, available: info.cpus } });
  }
  const image = fullImageName(options.tag ?? DEFAULTS.tag);
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
    memoryBytes: options.memoryBytes ?? Math.min(DEFAULTS.memoryBytes, info.memoryBytes),
    cpus: options.cpus ?? Math.min(DEFAULTS.cpus, info.cpus),
    pidsLimit: options.pidsLimit ?? DEFAULTS.pidsLimit,
    shmBytes: options.shmBytes ?? DEFAULTS.shmBytes,
  };
}

/** What the agent of that start has to know. */
export function agentConfig(options: ExecutionContainerOptions): AgentConfig {
  const { user = callerUser(), env = {}, idleTimeoutMs = null, detached = false } = options;
  const network = canonicalPolicy(readPolicy(options.network ?? DEFAULTS.network));
  return { ...user, env, proxies: proxySettings(), network, idleTimeoutMs, detached };
}

async function certificateFiles(paths: readonly string[]): Promise<readonly SandboxFile[]> {
  const certificates = await readCaCertificates(paths, "caCertificates");
  return certificates.map(({ name, pem }) => ({ path: `/run/ipybox/certificates/${name}`, mode: 0o644, content: pem }));
}
