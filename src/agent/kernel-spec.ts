import type { AgentConfig } from "../protocol/agent-config.ts";
import type { KernelSpec } from "../protocol/requests.ts";

/** Of the agent's own environment, what is not the image's or the users'. */
const OWN_VARIABLES: ReadonlySet<string> = new Set([
  "HOSTNAME",
  "HOME",
  "USER",
  "PWD",
  "OLDPWD",
  "SHLVL",
  "_",
  "DEBIAN_FRONTEND",
]);

/** Checks what the SDK sends; throws a TypeError that names the field. */
export function parseAgentConfig(text: string): AgentConfig {
  const { uid, gid, env, idleTimeoutMs = null, detached = false, diskBytes = null } = JSON.parse(text) as Partial<AgentConfig>;
  for (const [name, value] of Object.entries({ uid, gid })) {
    if (!Number.isInteger(value) || (value as number) < 1) throw new TypeError(`${name} must be a positive integer`);
  }
  if (typeof env !== "object" || env === null || Object.values(env).some((value) => typeof value !== "string")) {
    throw new TypeError("env must be an object of strings");
  }
  if (idleTimeoutMs !== null && !(Number.isFinite(idleTimeoutMs) && idleTimeoutMs > 0)) {
    throw new TypeError("idleTimeoutMs must be a positive number or null");
  }
  if (typeof detached !== "boolean") throw new TypeError("detached must be true or false");
  if (diskBytes !== null && !(Number.isSafeInteger(diskBytes) && diskBytes > 0)) {
    throw new TypeError("diskBytes must be a positive integer or null");
  }
  return { uid: uid as number, gid: gid as number, env, idleTimeoutMs, detached, diskBytes };
}

/** The process that kernels of this sandbox start in: the image's environment and what the caller adds. */
export function kernelSpec({ uid, gid, env }: AgentConfig, own: NodeJS.ProcessEnv): KernelSpec {
  const imageGid = Number(own["IPYBOX_GID"] ?? gid);
  const image = Object.entries(own).filter(
    (entry): entry is [string, string] => !entry[0].startsWith("IPYBOX_") && !OWN_VARIABLES.has(entry[0]),
  );
  return {
    uid,
    gid,
    groups: [...new Set([gid, imageGid])],
    env: {
      ...Object.fromEntries(image),
      // The agent itself does without: reading all certificates would slow its start.
      ...(own["SSL_CERT_FILE"] === undefined ? {} : { NODE_EXTRA_CA_CERTS: own["SSL_CERT_FILE"] }),
      HOME: "/home/ipybox",
      USER: "ipybox",
      // A script that a cell starts shows what it prints as it prints it.
      PYTHONUNBUFFERED: "1",
      MPLBACKEND: "module://matplotlib_inline.backend_inline",
      ...env,
    },
    cwd: "/app",
    virtual_env: own["VIRTUAL_ENV"] ?? "/venv",
  };
}
