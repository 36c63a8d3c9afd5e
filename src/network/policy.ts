import { type Entry, formatEntry, parseEntry } from "./entry.ts";

/**
 * What the cells of a container may reach.
 *
 * - `"internet"`: whatever Docker's network reaches; there is no filter.
 * - `"public"`: the internet, without private, link-local and clouds' metadata addresses.
 * - `"none"`: nothing.
 * - `{ allow }`: only what is listed: names (`"example.com"`), names below one (`"*.example.com"`), addresses and ranges
 *   (`"192.0.2.7"`, `"10.1.0.0/16"`, `"[2001:db8::1]"`), each with a port if wanted (`"10.1.2.3:5432"`).
 */
export type NetworkPolicy = "internet" | "public" | "none" | { readonly allow: readonly string[] };

/** A policy whose entries have been read. */
export type Policy =
  { readonly kind: "internet" | "public" | "none" } | { readonly kind: "allow"; readonly entries: readonly Entry[] };

/** No list is longer. */
export const MAX_ENTRIES = 16_384;

/** Reads a policy. Throws an `EntryError` for a bad entry. */
export function readPolicy(policy: NetworkPolicy): Policy {
  if (typeof policy === "string") return { kind: policy };
  const byText = new Map(policy.allow.map(parseEntry).map((entry) => [formatEntry(entry), entry] as const));
  return { kind: "allow", entries: [...byText.values()] };
}

/** The one form of a policy. */
export function canonicalPolicy(policy: Policy): NetworkPolicy {
  return policy.kind === "allow" ? { allow: policy.entries.map(formatEntry) } : policy.kind;
}
