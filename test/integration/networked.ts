import type Docker from "dockerode";
import {
  DEFAULTS,
  type DeniedEvent,
  ExecutionClient,
  ExecutionContainer,
  type ExecutionContainerOptions,
  type NetworkPolicy,
} from "ipybox";
import type { Attachment, FakeInternet } from "../fakes/internet.ts";
import { HELPER_LABEL, SESSION_LABEL } from "../../src/protocol/labels.ts";
import { docker } from "./docker.ts";

/** A container whose way out is a fake internet, with a kernel that was started after it had that. */
export interface Networked extends AsyncDisposable, Attachment {
  readonly container: ExecutionContainer;
  readonly client: ExecutionClient;
  /** What `onDenied` was called with. */
  readonly denied: DeniedEvent[];
  /** Another kernel. */
  connect(): Promise<ExecutionClient>;
}

export interface NetworkedOptions extends ExecutionContainerOptions {
  /** Run as soon as there is a kernel. */
  readonly firstCell?: string;
  /** Done before the container is attached. */
  readonly prepare?: (container: ExecutionContainer) => Promise<unknown>;
}

export async function openNetworked(
  internet: FakeInternet,
  network: NetworkPolicy,
  { firstCell, prepare, ...options }: NetworkedOptions = {},
): Promise<Networked> {
  const denied: DeniedEvent[] = [];
  const container = await ExecutionContainer.create({ onDenied: (event) => denied.push(event), ...options, network });
  try {
    await prepare?.(container);
    const attachment = await internet.attach(container.id);
    const connect = (): Promise<ExecutionClient> => ExecutionClient.connect({ port: container.port });
    const client = await connect();
    if (firstCell !== undefined) await client.execute(firstCell);
    return { ...attachment, container, client, denied, connect, [Symbol.asyncDispose]: () => container.kill() };
  } catch (error) {
    await container.kill();
    throw error;
  }
}

/** The containers that put a policy into effect for this one: other tests have their own. */
export async function networkHelpersOf(containerId: string): Promise<readonly string[]> {
  const { Labels } = (await docker.getContainer(containerId).inspect()).Config;
  const label = [`${HELPER_LABEL}=network`, `${SESSION_LABEL}=${Labels[SESSION_LABEL] ?? ""}`];
  return (await docker.listContainers({ all: true, filters: { label } })).map(({ Id: id }) => id);
}

/** The resolvers that containers of this machine ask. */
export async function resolversOfContainers(): Promise<readonly string[]> {
  const lines = await printed(["/bin/cat", "/etc/resolv.conf"], {});
  return lines.map((line) => /nameserver\s+(\S+)/.exec(line)?.[1]).filter((address) => address !== undefined);
}

/** What `nft` says in the network of a container; its own root may not ask. */
export async function nft(containerId: string, ...args: readonly string[]): Promise<readonly string[]> {
  return printed(["/usr/sbin/nft", ...args], { NetworkMode: `container:${containerId}`, CapAdd: ["NET_ADMIN"] });
}

async function printed(command: readonly string[], HostConfig: Docker.HostConfig): Promise<readonly string[]> {
  const container = await docker.createContainer({
    Image: DEFAULTS.tag,
    Entrypoint: [...command],
    User: "0",
    Tty: true,
    HostConfig,
  });
  try {
    await container.start();
    await container.wait();
    return (await container.logs({ stdout: true, follow: false })).toString("latin1").split(/\r?\n/);
  } finally {
    await container.remove({ force: true });
  }
}
