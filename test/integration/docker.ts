import { hostname } from "node:os";
import type Docker from "dockerode";
import { DEFAULTS } from "ipybox";
import { connectDocker } from "../../src/engine/docker/connect.ts";
import { resolveEndpoint } from "../../src/engine/docker/endpoint.ts";
import { OWNER_LABEL } from "../../src/protocol/labels.ts";

const endpoint = resolveEndpoint();

/** The daemon's own view, past everything that is tested. */
export const docker: Docker = connectDocker(endpoint);

/** The socket that the machine's daemon listens on. */
export const SOCKET: string = endpoint.kind === "socket" ? endpoint.path : "/var/run/docker.sock";

/** What `docker inspect` shows of a container, or undefined when there is none. */
export async function inspect(id: string): Promise<Docker.ContainerInspectInfo | undefined> {
  try {
    return await docker.getContainer(id).inspect();
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return undefined;
    throw error;
  }
}

/** Ids of all containers, running or not, that this process has started and not removed. */
export async function ownContainers(): Promise<readonly string[]> {
  return containersWith(`${OWNER_LABEL}=${process.pid}@${hostname()}`);
}

/** Ids of all containers, running or not, that carry a label. */
export async function containersWith(label: string): Promise<readonly string[]> {
  const found = await docker.listContainers({ all: true, filters: { label: [label] } });
  return found.map(({ Id: id }) => id);
}

/** Whether the daemon has an image of that name. */
export async function hasImage(tag: string): Promise<boolean> {
  const found = await docker.listImages({ filters: { reference: [tag] } });
  return found.length > 0;
}

/** Removes images by their names, those that are there. */
export async function removeImages(...tags: readonly string[]): Promise<void> {
  for (const tag of tags) {
    await docker
      .getImage(tag)
      .remove({ force: true })
      .catch((error: { statusCode?: number }) => {
        if (error.statusCode !== 404) throw error;
      });
  }
}

/** This machine's own address on the network of containers. */
export async function bridgeAddress(): Promise<string> {
  const container = await docker.createContainer({ Image: DEFAULTS.tag, Entrypoint: ["/bin/sleep", "60"] });
  try {
    await container.start();
    const { Networks: networks } = (await container.inspect()).NetworkSettings;
    const [address] = Object.values(networks).map(({ Gateway }) => Gateway);
    if (!address) throw new Error("the network of containers has no address of this machine");
    return address;
  } finally {
    await container.remove({ force: true });
  }
}
