import type Docker from "dockerode";

/** Creates a container. By itself, dockerode would put its options into the address as well, where they are too long for some servers. */
export function createContainer(docker: Docker, options: Docker.ContainerCreateOptions): Promise<Docker.Container> {
  return docker.createContainer({ _query: {}, _body: options } as Docker.ContainerCreateOptions);
}
