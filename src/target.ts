import type { AttachOptions } from "./client-options.ts";
import type { SandboxAddress } from "./engine/engine.ts";
import { IpyboxError } from "./errors.ts";
import { DEFAULTS } from "./options.ts";
import { readRuntimeEntry, type RuntimeEntry } from "./runtime-dir.ts";

const LOOK_TIMEOUT_MS = 1_000;

/** Where a container's agent is, and what lets in. */
export interface AgentTarget {
  readonly host: string;
  readonly port: number;
  readonly token: string;
  /** A shorter way to the same agent, to be tried first. */
  readonly direct?: SandboxAddress | undefined;
  /** Tells why the container is gone, if it is. Undefined when it runs, or nobody knows. */
  readonly whyGone?: (() => Promise<string | undefined>) | undefined;
}

/** Where a kernel is. */
export interface KernelTarget extends AgentTarget {
  readonly kernelId: string;
}

/** Where a kernel is, with the token that lets in. */
export async function findTarget(options: Omit<AttachOptions, "kernelId">, kernelId: string): Promise<KernelTarget> {
  return { ...(await findAgent(options)), kernelId };
}

/** Where an agent is, with the token that lets in. */
export async function findAgent(options: Pick<AttachOptions, "host" | "port" | "token">): Promise<AgentTarget> {
  const { host = DEFAULTS.host, port } = options;
  const entry = readRuntimeEntry(host, port);
  const token = options.token ?? entry?.token;
  if (token === undefined) {
    throw new IpyboxError(
      "unauthorized",
      `No token is known for ${host}:${port}: no container of this user has that port. Pass token: container.token.`,
      { details: { host, port } },
    );
  }
  const known = entry?.token === token ? entry : undefined;
  return { host, port, token, direct: known?.direct, whyGone: known && (() => whyGone(known)) };
}

/** Asks the daemon what became of a container that does not answer. */
async function whyGone({ containerId, dockerHost }: RuntimeEntry): Promise<string | undefined> {
  try {
    const { DockerEngine } = await import("./engine/docker/docker-engine.ts");
    const engine = new DockerEngine(dockerHost);
    const signal = AbortSignal.timeout(LOOK_TIMEOUT_MS);
    const state = await engine.inspect(containerId, signal);
    if (state?.running === true) return undefined;
    // It may be removed already; who has ended it, only the engine's memory tells.
    const ending = await engine.ending(containerId, signal).catch(() => undefined);
    const exitCode = ending?.exitCode ?? state?.exitCode;
    if (exitCode === undefined) return "it was removed";
    const outOfMemory = state?.oomKilled === true || ending?.oomKilled === true;
    const sent = ending?.signal === undefined ? "" : `, by ${ending.signal} from outside`;
    return `it ended with status ${exitCode}${outOfMemory ? ", out of memory" : sent}`;
  } catch {
    return undefined; // nobody knows: the connection itself must tell
  }
}
