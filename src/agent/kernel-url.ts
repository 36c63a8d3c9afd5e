import { randomUUID } from "node:crypto";
import { KERNELS_PATH } from "../protocol/agent-config.ts";
import type { KernelTerms } from "./kernels.ts";
import { KERNEL_ID } from "./receive.ts";

/** Any will do: only the path counts. */
const AGENT = "http://agent";

/** What a client asks for by the URL of its WebSocket. */
export interface KernelUrl {
  readonly id: string;
  /** The client's own name, so that it can replace a connection that has died. */
  readonly client: string;
  /** The last sequence that it has. */
  readonly after: number | "latest";
  /** Of a kernel that is to be created; undefined when only an existing one will do. */
  readonly terms: KernelTerms | undefined;
}

/** Reads `/v1/kernels/<id>?…`; undefined when it isn't that. */
export function readKernelUrl(text: string): KernelUrl | undefined {
  if (!URL.canParse(text, AGENT)) return undefined;
  const { pathname, searchParams } = new URL(text, AGENT);
  const id = pathname.startsWith(KERNELS_PATH) ? pathname.slice(KERNELS_PATH.length) : "";
  const after = searchParams.get("after") === "latest" ? "latest" : Number(searchParams.get("after") ?? 0);
  const graceMs = Number(searchParams.get("grace") ?? Number.NaN);
  const idle = searchParams.get("idle");
  const idleTimeoutMs = idle === null ? null : Number(idle);
  const create = searchParams.get("create") === "true";
  const valid =
    KERNEL_ID.test(id) &&
    (after === "latest" || isCount(after)) &&
    (!create || (isCount(graceMs) && (idleTimeoutMs === null || isCount(idleTimeoutMs))));
  if (!valid) return undefined;
  return {
    id,
    client: searchParams.get("client") ?? randomUUID(),
    after,
    terms: create ? { graceMs, idleTimeoutMs } : undefined,
  };
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
