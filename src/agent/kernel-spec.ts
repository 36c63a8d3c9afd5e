import { type AgentConfig, MAX_ID } from "../protocol/agent-config.ts";
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
  const parsed = JSON.parse(text) as Partial<AgentConfig>;
  const { uid, gid, env, proxies, network, idleTimeoutMs = null, detached = false, diskBytes = null } = parsed;
  for (const [name, value] of Object.entries({ uid, gid })) {
    if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > MAX_ID) {
      throw new TypeError(`${name} must be an integer from 1 to ${MAX_ID}`);
    }
  }
  if (!areVariables(env)) throw new TypeError("env must be an object of strings");
  if (!areVariables(proxies)) throw new TypeError("proxies must be an object of strings");
  // Its entries are checked where they are read.
  if (network === undefined) throw new TypeError("network must be a policy");
  if (idleTimeoutMs !== null && !(Number.isFinite(idleTimeoutMs) && idleTimeoutMs > 0)) {
    throw new TypeError("idleTimeoutMs must be a positive number or null");
  }
  if (typeof detached !== "boolean") throw new TypeError("detached must be true or false");
  if (diskBytes !== null && !(Number.isSafeInteger(diskBytes) && diskBytes > 0)) {
    throw new TypeError("diskBytes must be a positive integer or null");
  }
  return { uid: uid as number, gid: gid as number, env, proxies, network, idleTimeoutMs, detached, diskBytes };
}

function areVariables(given: unknown): given is Readonly<Record<string, string>> {
  return typeof given === "object" && given !== null && Object.values(given).every((value) => typeof value === "string");
}

/** The process that kernels of this sandbox start in: the image's environment, what the network needs, and what the caller adds. */
export function kernelSpec(
  { uid, gid, env }: AgentConfig,
  own: NodeJS.ProcessEnv,
  network: Readonly<Record<string, string>>,
): KernelSpec {
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
      ...network,
      ...env,
    },
    cwd: "/app",
    virtual_env: own["VIRTUAL_ENV"] ?? "/venv",
  };
}
