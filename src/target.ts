import type { AttachOptions } from "./client-options.ts";
import type { SandboxAddress } from "./engine/engine.ts";
import { IpyboxError } from "./errors.ts";
import { DEFAULTS } from "./options.ts";
import { readRuntimeEntry, type RuntimeEntry } from "./runtime-dir.ts";

const LOOK_TIMEOUT_MS = 1_000;

/** Where a kernel is. */
export interface KernelTarget {
  readonly host: string;
  readonly port: number;
  readonly token: string;
  readonly kernelId: string;
  /** A shorter way to the same agent, to be tried first. */
  readonly direct?: SandboxAddress | undefined;
  /** Tells why the container is gone, if it is. Undefined when it runs, or nobody knows. */
  readonly whyGone?: (() => Promise<string | undefined>) | undefined;
}

/** Where a kernel is, with the token that lets in. */
export async function findTarget(options: Omit<AttachOptions, "kernelId">, kernelId: string): Promise<KernelTarget> {
  const { host = DEFAULTS.host, port } = options;
  const entry = await readRuntimeEntry(host, port);
  const token = options.token ?? entry?.token;
  if (token === undefined) {
    throw new IpyboxError(
      "unauthorized",
      `No token is known for ${host}:${port}: no container of this user has that port. Pass token: container.token.`,
      { details: { host, port } },
    );
  }
  const known = entry?.token === token ? entry : undefined;
  return { host, port, token, kernelId, direct: known?.direct, whyGone: known && (() => whyGone(known)) };
}

/** Asks the daemon what became of a container that does not answer. */
async function whyGone({ containerId, dockerHost }: RuntimeEntry): Promise<string | undefined> {
  try {
    const { DockerEngine } = await import("./engine/docker/docker-engine.ts");
    const state = await new DockerEngine(dockerHost).inspect(containerId, AbortSignal.timeout(LOOK_TIMEOUT_MS));
    if (state === undefined) return "it was removed";
    if (state.running) return undefined;
    return `it ended with status ${state.exitCode ?? "unknown"}${state.oomKilled ? ", out of memory" : ""}`;
  } catch {
    return undefined; // nobody knows: the connection itself must tell
  }
}
