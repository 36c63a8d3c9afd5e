import { formatAddress } from "./address.ts";
import type { Policy } from "./policy.ts";
import { specialRanges } from "./special.ts";

/** Which open connections may stay, told so plainly that a small program can go by it. */
export interface Reach {
  /** What holds for addresses in none of the ranges. */
  readonly others: boolean;
  /** In these it is the other way round; a port of null is all of them. */
  readonly ranges: readonly (readonly [network: string, prefix: number, port: number | null])[];
}

export function reachOf(policy: Policy): Reach {
  switch (policy.kind) {
    case "internet":
      return { others: true, ranges: [] };
    case "none":
      return { others: false, ranges: [] };
    case "public":
      return { others: true, ranges: specialRanges().map(({ range }) => [formatAddress(range), range.prefix, null] as const) };
    case "allow":
      return {
        others: false,
        ranges: policy.entries.flatMap((entry) =>
          entry.kind === "range" ? [[formatAddress(entry.range), entry.range.prefix, entry.port ?? null] as const] : [],
        ),
      };
  }
}
