import { formatRange } from "./address.ts";
import type { Policy } from "./policy.ts";
import { addressSets, CHAINS, type Chain, DOCKER_DNS, type NetworkRuleId, networkRules, type RulesOptions } from "./rules.ts";

const TABLE = "inet ipybox";

/** The hooks of Linux that chains are called by; the other chains are called by these. */
const HOOKS: Readonly<Partial<Record<Chain, string>>> = {
  // Before Docker's own translation of 127.0.0.11.
  resolve: "type nat hook output priority -110; policy accept;",
  output: hook("output", "output-default"),
  input: hook("input", "input-default"),
  // Before Linux looks up the connection.
  untracked_output: "type filter hook output priority raw; policy accept;",
  untracked_input: "type filter hook prerouting priority raw; policy accept;",
};

/** A policy in the words of `nft`, as two transactions; a rule's line ends with its id, as a comment. */
export interface NetworkScript {
  /** The addresses that the rules go by, in sets of names that no other script has. */
  readonly sets: readonly string[];
  /** All rules, in the place of those before. */
  readonly rules: readonly string[];
}

/**
 * Two things of Linux (`nf_tables_commit`) make it more than a table that is replaced by another, which lets single packets out:
 *
 * - A new chain lets all pass until it is given its own policy, just after its rules are in force and the chain before it is gone.
 *   So the chains stay.
 * - A set of ranges is empty until just after the rules that refer to it are in force. So sets come first.
 *
 * The sets `resolvers4_…` and `resolvers6_…` are left to be filled; so are `near4_…` and `near6_…`, with the container's own networks
 * and the host's addresses.
 */
export function networkScript(policy: Policy, generation: string, options: RulesOptions): NetworkScript {
  const rules = networkRules(policy, options);
  const linesOf = (chain: Chain): readonly string[] =>
    rules
      .filter((rule) => rule.chain === chain)
      .map(({ id, text }) => `${text.replaceAll(/@(\w+)/g, `@$1_${generation}`)} # ${id}`);
  const set = (name: string, family: 4 | 6, rest: string): string =>
    `set ${name}_${generation} { type ipv${family}_addr; ${rest} }`;
  return {
    sets: [
      `table ${TABLE} {`,
      set("resolvers4", 4, `elements = { ${DOCKER_DNS} };`),
      set("resolvers6", 6, ""),
      ...(policy.kind === "public"
        ? ([4, 6] as const).map((family) => set(`near${family}`, family, "flags interval; auto-merge;"))
        : []),
      ...addressSets(policy).map(({ name, family, ranges }) =>
        set(name, family, `flags interval; auto-merge; elements = { ${ranges.map(formatRange).join(", ")} };`),
      ),
      "}",
    ],
    rules: [
      `table ${TABLE} {`,
      ...CHAINS.flatMap((name) => block(name, HOOKS[name] === undefined ? [] : [HOOKS[name]])),
      "}",
      `flush table ${TABLE}`,
      `table ${TABLE} {`,
      ...CHAINS.flatMap((name) => block(name, linesOf(name))),
      "}",
    ],
  };
}

function hook(name: string, id: NetworkRuleId): string {
  return `type filter hook ${name} priority filter; policy drop; # ${id}`;
}

function block(chain: Chain, lines: readonly string[]): readonly string[] {
  return [`chain ${chain} {`, ...lines, "}"];
}
