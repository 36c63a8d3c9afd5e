import type { NetworkPolicy } from "../network/policy.ts";

/**
 * What passes between a container's owner and its agent, as JSON in text messages of a WebSocket at
 * `CONTROL_PATH`. Not to do with any kernel: those have connections of their own.
 */
export const CONTROL_PATH = "/v1/control";

/** No message of the owner's is longer. */
export const MAX_CONTROL_BYTES: number = 4 * 1024 * 1024;

/** What the owner asks for. */
export type ControlRequest =
  | { readonly type: "ping_request" }
  /** A policy in its one form, which the agent holds to from now on in what it dials itself. */
  | { readonly type: "network_request"; readonly policy: NetworkPolicy };

/** An owner's request on the wire; answered by one reply with its id. */
export type NumberedRequest = ControlRequest & { readonly id: number };

/** What the agent answers. */
export type ControlReply =
  | { readonly type: "ping_reply"; readonly id: number }
  /** On which port of loopback it answers questions about names. */
  | { readonly type: "network_reply"; readonly id: number; readonly resolverPort: number }
  /** The request could not be met. */
  | { readonly type: "error_reply"; readonly id: number; readonly message: string };

/** What the agent tells each owner by itself. */
export type ControlEvent =
  /** The agent is about to end, and the container with it. */
  | { readonly type: "ending"; readonly reason: string }
  /** The network policy has denied these. */
  | { readonly type: "denied"; readonly denials: readonly DeniedEvent[] };

/** Something that a network policy has denied to a cell. */
export interface DeniedEvent {
  /** The name that was asked for, or the address where there was none. */
  readonly host: string;
  /** Undefined where the protocol has none. */
  readonly port?: number | undefined;
  /**
   * How it was asked for: `tcp`, `udp`, `icmp` and `other` without the proxy, `dns` for a question to a resolver, `proxy`
   * for what the proxy was asked.
   */
  readonly protocol: "tcp" | "udp" | "icmp" | "other" | "dns" | "proxy";
  /** What has denied it: `none`, `allow`, a range such as `10.0.0.0/8`, or another rule of the guide's table. */
  readonly rule: string;
  /** The same for people. */
  readonly reason: string;
  /** How often, where the same happens many times in short. */
  readonly count: number;
}
