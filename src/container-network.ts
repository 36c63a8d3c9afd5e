import { networkInterfaces } from "node:os";
import type { Control } from "./control.ts";
import type { Engine, NetworkChange } from "./engine/engine.ts";
import { canonicalPolicy, type NetworkPolicy, type Policy, readPolicy } from "./network/policy.ts";
import { networkTask } from "./network/setup.ts";
import { AGENT_PORT, RESOLVER_PORT } from "./protocol/agent-config.ts";
import { helperLabels } from "./protocol/labels.ts";

/** How long a change of the policy may take. */
const CHANGE_MS = 30_000;

/** The container whose policy it is. */
export interface PoliciedContainer {
  readonly id: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
}

interface HoldOptions {
  /** The container runs once this resolves. */
  readonly after: Promise<unknown>;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Has a policy in effect before any cell runs. Takes no time for `internet`, which needs no rules. */
export async function holdPolicy(
  engine: Engine,
  container: PoliciedContainer,
  policy: Policy,
  options: HoldOptions,
): Promise<NetworkChange> {
  if (policy.kind === "internet") return { gone: Promise.resolve() };
  const { after, timeoutMs, signal } = options;
  const task = networkTask(policy, {
    agentPort: AGENT_PORT,
    resolverPort: RESOLVER_PORT,
    near: hostAddresses(engine),
    cellsRun: false,
  });
  return engine.changeNetwork(container.id, { ...requestFor(container), task, after }, { timeoutMs, signal });
}

/** The policy of a running container. */
export class ContainerNetwork {
  readonly #engine: Engine;
  readonly #container: PoliciedContainer;
  readonly #control: Control;
  #policy: Policy;
  #changed: Promise<void>;

  /** @param first - What has put the policy into effect with which the container began. */
  constructor(engine: Engine, container: PoliciedContainer, control: Control, policy: Policy, first: NetworkChange) {
    this.#engine = engine;
    this.#container = container;
    this.#control = control;
    this.#policy = policy;
    this.#changed = first.gone;
  }

  /** Resolves once no change is under way, and nothing is left of those that were made. */
  async settled(): Promise<void> {
    await this.#changed;
  }

  /** Changes it, after the changes that are under way. When that fails, the policy before holds on. */
  set(policy: NetworkPolicy, signal?: AbortSignal): Promise<void> {
    const change = this.#changed.then(() => this.#change(readPolicy(policy), signal));
    this.#changed = change.catch(() => undefined);
    return change;
  }

  async #change(policy: Policy, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    // The agent first: only it can tell where it answers questions about names.
    const { resolverPort } = await this.#tellAgent(policy);
    try {
      const task = networkTask(policy, {
        agentPort: AGENT_PORT,
        resolverPort,
        near: hostAddresses(this.#engine),
        cellsRun: true,
      });
      const request = { ...requestFor(this.#container), task };
      const { gone } = await this.#engine.changeNetwork(this.#container.id, request, { timeoutMs: CHANGE_MS, signal });
      this.#policy = policy;
      await gone;
    } catch (error) {
      await this.#tellAgent(this.#policy).catch(() => undefined);
      throw error;
    }
  }

  #tellAgent(policy: Policy): Promise<{ readonly resolverPort: number }> {
    return this.#control.request({ type: "network_request", policy: canonicalPolicy(policy) }, "network_reply");
  }
}

function requestFor({ image, labels }: PoliciedContainer): Pick<PoliciedContainer, "image" | "labels"> {
  return { image, labels: helperLabels(labels, "network") };
}

/** This machine's own addresses, where it is the one that runs containers. */
function hostAddresses({ isLocal }: Engine): readonly string[] {
  if (!isLocal) return [];
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return [...new Set(all.filter(({ internal }) => !internal).map(({ address }) => address))];
}
