import type { NetworkPolicy } from "../network/policy.ts";
import type { NumberedRequest } from "../protocol/control.ts";

const KINDS: readonly unknown[] = ["internet", "public", "none"];

/** Reads what an owner asks for, who is trusted but may be of another version. Throws a TypeError for what is unknown here. */
export function readControlRequest(text: string): NumberedRequest {
  const { type, id, policy } = JSON.parse(text) as { readonly type?: unknown; readonly id?: unknown; readonly policy?: unknown };
  if (!Number.isSafeInteger(id)) throw new TypeError("id must be an integer");
  const numbered = { id: id as number };
  if (type === "ping_request") return { type, ...numbered };
  if (type === "network_request" && isPolicy(policy)) return { type, ...numbered, policy };
  throw new TypeError("type must be ping_request or network_request, the latter with a policy");
}

/** Its entries are checked where they are read. */
function isPolicy(policy: unknown): policy is NetworkPolicy {
  if (typeof policy !== "object" || policy === null) return KINDS.includes(policy);
  const { allow } = policy as { readonly allow?: unknown };
  return Array.isArray(allow) && allow.every((entry) => typeof entry === "string");
}
