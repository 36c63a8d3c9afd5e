import type { NetworkPolicy } from "../network/policy.ts";
import type { Bound } from "./lifecycle.ts";

/**
 * What the SDK tells the agent of a new sandbox, over the agent's own port and before any kernel can
 * be started: so the values of `env` show in no argument list, environment or inspection.
 */
export interface AgentConfig {
  /** User and group that kernels run as. Never 0. */
  readonly uid: number;
  readonly gid: number;
  /** Environment variables of cells, on top of the image's own. */
  readonly env: Readonly<Record<string, string>>;
  /** What cells may reach, in its one form. The rules for it are in effect already. */
  readonly network: NetworkPolicy;
  /** Variables with the proxy settings of the caller's machine, for cells that may reach all it does. */
  readonly proxies: Readonly<Record<string, string>>;
  /** The agent ends when no cell has run for so long; null: never. */
  readonly idleTimeoutMs: number | null;
  /** Whether the agent goes on without an owner's connection. */
  readonly detached: boolean;
  /** What kernels may write to the sandbox's own disk, in bytes; null for no bound. */
  readonly diskBytes: number | null;
}

/**
 * The environment variable with the SHA-256 of the sandbox's token, in hex. The agent checks tokens
 * against it; the token itself, 32 random bytes, is nowhere in the sandbox.
 */
export const TOKEN_HASH_VARIABLE = "IPYBOX_TOKEN_SHA256";

/** The port that the agent listens on inside the sandbox. */
export const AGENT_PORT = 8888;

/** Where the agent answers questions about names, on loopback and for cells whose policy is `public`. */
export const RESOLVER_PORT = 8853;

/** Where `GET` tells, without a token, whether kernels can be started: 200 or 503. */
export const HEALTH_PATH = "/health";

/** Why a connection is not made, as the JSON of the answer. */
export interface Refusal {
  readonly message: string;
  /** What the sandbox has used up, if that is why. */
  readonly bound?: Bound | undefined;
}

/** Where the `AgentConfig` is put, once; answered with 204 as soon as kernels can be started. */
export const CONFIG_PATH = "/v1/config";

/** Below it, a WebSocket a kernel: `/v1/kernels/<id>`. */
export const KERNELS_PATH = "/v1/kernels/";

/** Where a connection to a file worker is made, by an upgrade to `FILES_PROTOCOL`; see `file-frames.ts`. */
export const FILES_PATH = "/v1/files";

/** The same for a connection that only watches: it does not keep an idle container. */
export const FILE_WATCH_PATH = "/v1/files/watch";

export const FILES_PROTOCOL = "ipybox-files";

/** The highest id of a user or a group: the next number stands for "no change" in Linux. */
export const MAX_ID: number = 2 ** 32 - 2;
