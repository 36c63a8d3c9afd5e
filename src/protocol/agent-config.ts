/**
 * What the SDK tells the agent of a new sandbox. It is laid into the sandbox as a file that only
 * root can read, before the sandbox starts, and the agent removes it as soon as it has read it:
 * so neither the token nor the values of `env` show in an argument list, an environment or an inspection.
 */
export interface AgentConfig {
  /** What a client must send as `Authorization: Bearer …`. */
  readonly token: string;
  /** User and group that kernels run as. Never 0. */
  readonly uid: number;
  readonly gid: number;
  /** Environment variables of cells, on top of the image's own. */
  readonly env: Readonly<Record<string, string>>;
}

/** Where the agent finds its configuration. */
export const AGENT_CONFIG_PATH = "/run/ipybox/config.json";

/** The port that the agent listens on inside the sandbox. */
export const AGENT_PORT = 8888;

/** Where `GET` tells, without a token, whether kernels can be started: 200 or 503. */
export const HEALTH_PATH = "/health";

/** Below it, a WebSocket a kernel: `/v1/kernels/<id>`. */
export const KERNELS_PATH = "/v1/kernels/";
