import { type Address, type AddressRange, formatAddress, rangeOf, unmapped } from "./address.ts";
import { formatEntry } from "./entry.ts";
import type { Host } from "./host.ts";
import type { Policy } from "./policy.ts";
import { isLoopback, specialUse } from "./special.ts";

/** Whether something may be reached, and by which rule it may not. */
export type Verdict = { readonly allowed: true } | { readonly allowed: false; readonly rule: string; readonly reason: string };

const ALLOWED: Verdict = { allowed: true };

/** Decides by a policy. What is listed for no port holds for all of them. */
export class Judge {
  readonly #policy: Policy;
  /** `name:port`, `*.name:port`, and both without a port. */
  readonly #names = new Set<string>();
  /** The same for `family/prefix/value`, and the prefix lengths that occur. */
  readonly #ranges = new Set<string>();
  readonly #prefixes = new Map<4 | 6, Set<number>>();

  constructor(policy: Policy) {
    this.#policy = policy;
    if (policy.kind !== "allow") return;
    for (const entry of policy.entries) {
      if (entry.kind === "name") {
        this.#names.add(formatEntry(entry));
        continue;
      }
      const { family, prefix } = entry.range;
      this.#ranges.add(keyOf(entry.range, entry.port));
      this.#prefixes.set(family, (this.#prefixes.get(family) ?? new Set()).add(prefix));
    }
  }

  /** What was asked for, before a name is resolved. */
  asked(host: Host, port: number): Verdict {
    if (host.kind === "address") return this.address(host.address, port);
    const { kind } = this.#policy;
    if (host.name === "localhost" || host.name.endsWith(".localhost"))
      return denied("loopback", "localhost is the sandbox itself");
    if (kind === "internet" || kind === "public") return ALLOWED;
    if (kind === "none") return denied("none", 'the policy is "none"');
    if (this.#lists(host.name, port)) return ALLOWED;
    return denied("allow", `${host.name}:${port} is not on the allow-list`);
  }

  /** An address that is reached as such. */
  address(given: Address, port: number | undefined): Verdict {
    const address = unmapped(given);
    if (this.#policy.kind === "none") return denied("none", 'the policy is "none"');
    if (this.#policy.kind !== "allow") return this.#general(address);
    if (this.#includes(address, port)) return isLoopback(address) ? this.#general(address) : ALLOWED;
    const text = formatAddress(address);
    return denied("allow", `${port === undefined ? text : withPort(address, port)} is not on the allow-list`);
  }

  /** An address that an allowed name has been resolved to. */
  resolved(name: string, given: Address, port: number): Verdict {
    const address = unmapped(given);
    if (this.#policy.kind === "allow" && this.#includes(address, port)) return ALLOWED;
    const verdict = this.#policy.kind === "none" ? this.address(address, port) : this.#general(address);
    return verdict.allowed
      ? verdict
      : { ...verdict, reason: `${name} resolves to an address that can't be reached: ${verdict.reason}` };
  }

  #general(address: Address): Verdict {
    if (isLoopback(address)) return denied("loopback", `${formatAddress(address)} is the sandbox itself`);
    const special = this.#policy.kind === "internet" ? undefined : specialUse(address);
    if (special === undefined) return ALLOWED;
    return denied(special.name, `${formatAddress(address)} is in ${special.name} (${special.use})`);
  }

  #lists(name: string, port: number): boolean {
    if (this.#names.has(name) || this.#names.has(`${name}:${port}`)) return true;
    for (let dot = name.indexOf("."); dot !== -1; dot = name.indexOf(".", dot + 1)) {
      const above = `*${name.slice(dot)}`;
      if (this.#names.has(above) || this.#names.has(`${above}:${port}`)) return true;
    }
    return false;
  }

  #includes(address: Address, port: number | undefined): boolean {
    for (const prefix of this.#prefixes.get(address.family) ?? []) {
      const range = rangeOf(address, prefix);
      if (this.#ranges.has(keyOf(range, undefined)) || (port !== undefined && this.#ranges.has(keyOf(range, port)))) return true;
    }
    return false;
  }
}

function keyOf({ family, prefix, value }: AddressRange, port: number | undefined): string {
  return `${family}/${prefix}/${value}${port === undefined ? "" : `:${port}`}`;
}

function withPort(address: Address, port: number): string {
  const text = formatAddress(address);
  return address.family === 6 ? `[${text}]:${port}` : `${text}:${port}`;
}

function denied(rule: string, reason: string): Verdict {
  return { allowed: false, rule, reason };
}
