import { Judge } from "../../network/judge.ts";
import { type NetworkPolicy, type Policy, readPolicy } from "../../network/policy.ts";
import { parseAddress } from "../../network/address.ts";
import { RESOLVER_PORT } from "../../protocol/agent-config.ts";
import type { DeniedEvent } from "../../protocol/control.ts";
import { Gate } from "../proxy/gate.ts";
import { Proxy } from "../proxy/proxy.ts";
import type { Zygote } from "../zygote.ts";
import type { DeniedPacket } from "./denied-packet.ts";
import { Denials, MANY } from "./denials.ts";
import { NameForwarder } from "./forwarder.ts";
import { watchDenied } from "./watch.ts";

const NO_PROXY = "localhost,127.0.0.1,::1";

/** The agent's part in the network policy: what goes out by way of the agent, and what is told of what does not. */
export class Network {
  readonly #zygote: Zygote;
  readonly #denials: Denials;
  readonly #forwarder = new NameForwarder();
  readonly #gate: Gate;
  readonly #proxy: Proxy;
  #policy: Policy = { kind: "internet" };
  #judge: Judge = new Judge(this.#policy);
  #watched: Promise<void> | undefined;
  #proxyPort: number | undefined;

  constructor(zygote: Zygote, tell: (denials: readonly DeniedEvent[]) => void) {
    this.#zygote = zygote;
    this.#denials = new Denials(tell);
    this.#gate = new Gate(this.#judge, (denial) => this.#denials.add(denial));
    this.#proxy = new Proxy(this.#gate, (denial) => this.#denials.add(denial));
  }

  /** Holds to a policy from now on. The rules that Linux goes by are set from outside. */
  async hold(given: NetworkPolicy): Promise<{ readonly resolverPort: number }> {
    const policy = readPolicy(given);
    if (policy.kind !== "internet") await this.#watch();
    if (policy.kind === "allow") this.#proxyPort = await this.#proxy.listen();
    const resolverPort = policy.kind === "public" ? await this.#forwarder.listen(RESOLVER_PORT) : RESOLVER_PORT;
    this.#policy = policy;
    this.#judge = new Judge(policy);
    this.#gate.hold(this.#judge);
    this.#forwarder.serve(policy.kind === "public");
    return { resolverPort };
  }

  /** What kernels that start now find in their environment. `proxies` are those of the caller's machine. */
  variables(proxies: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    if (this.#policy.kind === "internet") return proxies;
    if (this.#policy.kind !== "allow") return {};
    const proxy = `http://127.0.0.1:${this.#proxyPort}`;
    const variables = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, ALL_PROXY: proxy, NO_PROXY };
    return Object.fromEntries(
      Object.entries(variables).flatMap(([name, value]) => [
        [name, value],
        [name.toLowerCase(), value],
      ]),
    );
  }

  /** What is denied is told from now on. Where it can't be, the rules hold all the same. */
  #watch(): Promise<void> {
    this.#watched ??= watchDenied(this.#zygote, {
      onDenied: (packet) => this.#onDenied(packet),
      onLost: (count) => this.#denials.add(MANY, count),
    }).catch(() => undefined);
    return this.#watched;
  }

  #onDenied({ protocol, address: text, port, name }: DeniedPacket): void {
    if (protocol === "dns") {
      const reason = `${name} can't be resolved by cells: the policy has names resolved by the proxy alone, if at all`;
      this.#denials.add({ host: name as string, port, protocol, rule: "dns", reason });
      return;
    }
    const address = parseAddress(text);
    const verdict = address === undefined ? undefined : this.#judge.address(address, port);
    // What the rules deny besides, the policy alone does not tell: Docker's resolver, source routes.
    const { rule, reason } =
      verdict === undefined || verdict.allowed ? { rule: "rules", reason: `${text} is not reached this way` } : verdict;
    this.#denials.add({ host: text, ...(port === undefined ? {} : { port }), protocol, rule, reason });
  }
}
