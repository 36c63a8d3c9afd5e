import { connect, type Socket } from "node:net";
import { type Address, formatAddress } from "../../network/address.ts";
import type { Authority, Host } from "../../network/host.ts";
import type { Judge, Verdict } from "../../network/judge.ts";
import type { Denial } from "../network/denials.ts";
import { resolveName } from "../network/resolver.ts";

const DIAL_MS = 10_000;
/** Of so many addresses of a name each is tried. */
const MOST_ADDRESSES = 8;

/** A connection that may not, or can't be made. */
export class Refusal extends Error {
  readonly kind: "denied" | "malformed" | "unreachable";

  constructor(kind: Refusal["kind"], message: string) {
    super(message);
    this.kind = kind;
  }
}

interface Flow {
  readonly target: Authority;
  readonly address: Address;
  readonly upstream: Socket;
}

/** Makes connections for cells, as the policy allows. A name is resolved once, and what was judged is what is dialled. */
export class Gate {
  #judge: Judge;
  readonly #flows = new Set<Flow>();
  readonly #report: (denial: Denial) => void;

  constructor(judge: Judge, report: (denial: Denial) => void) {
    this.#judge = judge;
    this.#report = report;
  }

  /** From now on goes by another policy; connections that it denies end at once. */
  hold(judge: Judge): void {
    this.#judge = judge;
    for (const { target, address, upstream } of this.#flows) {
      const verdict = this.#verdict(target, address);
      if (!verdict.allowed) {
        this.#deny(target, verdict);
        upstream.destroy();
      }
    }
  }

  /** Connects to a target. Throws a `Refusal`; what is denied is reported. */
  async dial(target: Authority): Promise<Socket> {
    const { host, port } = target;
    const asked = this.#judge.asked(host, port);
    if (!asked.allowed) throw this.#deny(target, asked);
    let failure = new Refusal("unreachable", `${hostText(host)} has no address`);
    for (const address of (await addressesOf(host)).slice(0, MOST_ADDRESSES)) {
      // By the policy of now: it may have changed while the name was resolved.
      const verdict = this.#verdict(target, address);
      if (!verdict.allowed) {
        failure = new Refusal("denied", verdict.reason);
        this.#deny(target, verdict);
        continue;
      }
      try {
        return await this.#connect(target, address);
      } catch (error) {
        failure = new Refusal("unreachable", `${authorityText(target)} can't be reached: ${(error as Error).message}`);
      }
    }
    throw failure;
  }

  /** Says that something is not let through, and reports it. */
  refuse(target: Authority, rule: string, reason: string): Refusal {
    return this.#deny(target, { allowed: false, rule, reason });
  }

  async #connect(target: Authority, address: Address): Promise<Socket> {
    const upstream = connect({ host: formatAddress(address), port: target.port, allowHalfOpen: true, noDelay: true });
    const flow = { target, address, upstream };
    this.#flows.add(flow);
    upstream.on("close", () => this.#flows.delete(flow));
    const timer = setTimeout(() => upstream.destroy(new Error(`no answer within ${DIAL_MS / 1000} s`)), DIAL_MS);
    try {
      await new Promise<void>((resolve, reject) => {
        upstream.once("connect", resolve);
        upstream.once("error", reject);
        upstream.once("close", () => reject(new Error("the policy has changed")));
      });
    } finally {
      clearTimeout(timer);
    }
    upstream.on("error", () => upstream.destroy());
    return upstream;
  }

  #verdict({ host, port }: Authority, address: Address): Verdict {
    const asked = this.#judge.asked(host, port);
    return asked.allowed && host.kind === "name" ? this.#judge.resolved(host.name, address, port) : asked;
  }

  #deny({ host, port }: Authority, verdict: Exclude<Verdict, { allowed: true }>): Refusal {
    this.#report({ host: hostText(host), port, protocol: "proxy", rule: verdict.rule, reason: verdict.reason });
    return new Refusal("denied", verdict.reason);
  }
}

async function addressesOf(host: Host): Promise<readonly Address[]> {
  if (host.kind === "address") return [host.address];
  try {
    return await resolveName(host.name);
  } catch (error) {
    throw new Refusal("unreachable", `${host.name} can't be resolved: ${(error as Error).message}`);
  }
}

export function hostText(host: Host): string {
  return host.kind === "name" ? host.name : formatAddress(host.address);
}

export function authorityText({ host, port }: Authority): string {
  const text = hostText(host);
  return text.includes(":") ? `[${text}]:${port}` : `${text}:${port}`;
}
