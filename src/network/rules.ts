import type { AddressRange } from "./address.ts";
import type { Policy } from "./policy.ts";
import { specialRanges } from "./special.ts";

/** Where Linux tells of denied packets (NFLOG). */
export const LOG_GROUP = 7;
const AGENT_MARK = "0x1";
/** Docker's own resolver, in networks that a user has made. It forwards whatever name it is asked. */
export const DOCKER_DNS = "127.0.0.11";
/** Neighbour discovery, without which nothing is reached over IPv6. */
const NEIGHBOURS = "{ nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }";

/** In the order in which they refer to each other. */
export const CHAINS = ["denied", "cells", "resolve", "output", "input", "untracked_output", "untracked_input"] as const;
export type Chain = (typeof CHAINS)[number];

/** A line of a chain, by the name of what it is for. */
export interface NetworkRule {
  readonly id: NetworkRuleId;
  readonly chain: Chain;
  readonly text: string;
}

/** A test takes each away and sees it, or says why that can't be seen: `network-mutation.test.ts`. */
export type NetworkRuleId =
  | "output-default"
  | "input-default"
  | "cells-by-uid"
  | "agent"
  | "agent-without-socket"
  | "rest-as-cells"
  | "resolve-through-agent"
  | "docker-dns"
  | "loopback"
  | "neighbours"
  | "source-routes"
  | "special-ranges"
  | "internet"
  | "public"
  | "listed"
  | "cells-denied"
  | "tell"
  | "refuse-tcp"
  | "agent-untracked"
  | "near"
  | "agent-port"
  | "agent-answers"
  | "input-loopback"
  | "input-errors"
  | "input-answers"
  | "input-streams"
  | "input-neighbours";

export interface RulesOptions {
  /** The port that the agent is reached on from outside. */
  readonly agentPort: number;
  /** Where the agent answers questions about names, on loopback. */
  readonly resolverPort: number;
}

/** A set of addresses that rules refer to, as `@name`. */
export interface AddressSet {
  readonly name: string;
  readonly family: 4 | 6;
  readonly ranges: readonly AddressRange[];
  /** Undefined for all ports and protocols. */
  readonly port: number | undefined;
}

/**
 * The rules of a policy. They go by uid: the agent is 0 and enforces the policy on what it dials itself; all others are cells.
 * Each packet of a cell is judged by itself, so that a change holds for open connections, too.
 */
export function networkRules(policy: Policy, { agentPort, resolverPort }: RulesOptions): readonly NetworkRule[] {
  const rule = (id: NetworkRuleId, chain: Chain, text: string): NetworkRule => ({ id, chain, text });
  if (policy.kind === "internet") return [rule("internet", "output", "accept"), rule("internet", "input", "accept")];
  return [
    ...(policy.kind === "public" ? resolveRules(resolverPort) : []),
    // Who asks the agent gets in, also when cells have filled the table in which Linux keeps connections in mind.
    rule("agent-untracked", "untracked_input", `tcp dport ${agentPort} notrack`),
    rule("agent-untracked", "untracked_output", `tcp sport ${agentPort} notrack`),
    rule("cells-by-uid", "output", "meta skuid != 0 goto cells"),
    rule("agent", "output", `meta skuid 0 ct mark set ${AGENT_MARK} accept`),
    // A connection that the agent has closed has no socket any more, and still something to send.
    rule("agent-without-socket", "output", `ct mark ${AGENT_MARK} accept`),
    rule("agent-without-socket", "output", `tcp sport ${agentPort} accept`),
    rule("rest-as-cells", "output", "goto cells"),
    rule("docker-dns", "cells", `ip daddr ${DOCKER_DNS} goto denied`),
    rule("loopback", "cells", "oif lo accept"),
    rule("neighbours", "cells", `icmpv6 type ${NEIGHBOURS} accept`),
    // They would go on from the first address to others, which are not in sight.
    ...["ip option lsrr exists", "ip option ssrr exists", "exthdr rt exists"].map((match) =>
      rule("source-routes", "cells", `${match} goto denied`),
    ),
    ...reachRules(policy),
    rule("cells-denied", "cells", "goto denied"),
    // As much of a packet as holds the name in a question to a resolver.
    rule("tell", "denied", `meta skuid != 0 log group ${LOG_GROUP} snaplen 512`),
    // A dropped SYN would be sent again and again; of a dropped datagram the sender learns at once.
    rule("refuse-tcp", "denied", "meta l4proto tcp reject with tcp reset"),
    rule("input-loopback", "input", "iif lo accept"),
    rule("agent-port", "input", `tcp dport ${agentPort} accept`),
    rule("agent-answers", "input", `ct mark ${AGENT_MARK} accept`),
    rule("input-errors", "input", "ct state related accept"),
    rule("input-neighbours", "input", `icmpv6 type ${NEIGHBOURS} accept`),
    ...answerRules(policy),
  ];
}

/** Questions to the sandbox's resolvers go to the agent, which passes them on. */
function resolveRules(port: number): readonly NetworkRule[] {
  const rule = (chain: Chain, text: string): NetworkRule => ({ id: "resolve-through-agent", chain, text });
  const ports = (to: number): string => `meta l4proto { tcp, udp } th dport ${to}`;
  return [
    rule("resolve", `meta skuid != 0 ip daddr @resolvers4 ${ports(53)} redirect to :${port}`),
    rule("resolve", `meta skuid != 0 ip6 daddr @resolvers6 ${ports(53)} redirect to :${port}`),
    // Here they still seem to leave by the interface of before.
    rule("cells", `ip daddr 127.0.0.1 ${ports(port)} accept`),
    rule("cells", `ip6 daddr ::1 ${ports(port)} accept`),
  ];
}

function reachRules(policy: Policy): readonly NetworkRule[] {
  if (policy.kind === "public") {
    return [
      ...addressSets(policy).map(({ name, family }): NetworkRule => ({
        id: "special-ranges",
        chain: "cells",
        text: `${ip(family)} daddr @${name} goto denied`,
      })),
      { id: "near", chain: "cells", text: "ip daddr @near4 goto denied" },
      { id: "near", chain: "cells", text: "ip6 daddr @near6 goto denied" },
      { id: "public", chain: "cells", text: "meta l4proto { tcp, udp, icmp, icmpv6 } accept" },
    ];
  }
  return addressSets(policy).map(({ name, family, port }) => ({
    id: "listed",
    chain: "cells",
    text: `${port === undefined ? "" : `meta l4proto { tcp, udp } th dport ${port} `}${ip(family)} daddr @${name} accept`,
  }));
}

/**
 * What comes back to a cell: answers alone, and only from where it may send to. Of a connection that is older than the first
 * policy, Linux does not know who has begun it; but without a SYN no other can begin one.
 */
function answerRules(policy: Policy): readonly NetworkRule[] {
  const rules = (match: string): readonly NetworkRule[] => [
    { id: "input-answers", chain: "input", text: `ct state established ct direction reply ${match} accept` },
    { id: "input-streams", chain: "input", text: `tcp flags & (syn | ack) != syn ${match} accept` },
  ];
  const sets = addressSets(policy);
  if (policy.kind === "public") return sets.flatMap(({ name, family }) => rules(`${ip(family)} saddr != @${name}`));
  return sets.flatMap(({ name, family, port }) =>
    rules(`${port === undefined ? "" : `meta l4proto { tcp, udp } th sport ${port} `}${ip(family)} saddr @${name}`),
  );
}

export function addressSets(policy: Policy): readonly AddressSet[] {
  if (policy.kind === "public") {
    const of = (family: 4 | 6): AddressSet => ({
      name: `special${family}`,
      family,
      ranges: specialRanges()
        .map(({ range }) => range)
        .filter((range) => range.family === family),
      port: undefined,
    });
    return [of(4), of(6)];
  }
  const sets = new Map<string, AddressSet & { readonly ranges: AddressRange[] }>();
  for (const entry of policy.kind === "allow" ? policy.entries : []) {
    if (entry.kind !== "range") continue;
    const { range, port } = entry;
    const name = `listed${range.family}${port === undefined ? "" : `_${port}`}`;
    const set = sets.get(name) ?? { name, family: range.family, ranges: [], port };
    set.ranges.push(range);
    sets.set(name, set);
  }
  return [...sets.values()];
}

function ip(family: 4 | 6): string {
  return family === 4 ? "ip" : "ip6";
}
