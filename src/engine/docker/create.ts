import type Docker from "dockerode";
import { abortable } from "./abortable.ts";

/** Creates a container. By itself, dockerode would put its options into the address as well, where they are too long for some servers. */
export function createContainer(
  docker: Docker,
  { abortSignal, ...options }: Docker.ContainerCreateOptions,
): Promise<Docker.Container> {
  return docker.createContainer({ _query: {}, _body: options, ...abortable(abortSignal) } as Docker.ContainerCreateOptions);
}
