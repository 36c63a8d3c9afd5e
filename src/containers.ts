import type { Engine, SandboxSummary } from "./engine/engine.ts";
import { fullImageName } from "./image-reference.ts";
import { removeRuntimeEntry } from "./runtime-dir.ts";
import { CONTAINER_LABEL, CREATED_LABEL, HELPER_LABEL, IMAGE_LABEL, OWNER_LABEL } from "./sandbox-spec.ts";

/** A container that some process has started through this package. */
export interface ContainerInfo {
  readonly id: string;
  /** Full name of its image. */
  readonly image: string;
  readonly running: boolean;
  /** Undefined when it does not run. */
  readonly port: number | undefined;
  /** ISO 8601. */
  readonly createdAt: string;
  /** The process that started it, as `pid@host`. */
  readonly owner: string;
}

/** Which containers are meant, and where. */
export interface ContainerFilter {
  /** Only containers of this image. */
  readonly image?: string | undefined;
  /** Docker daemon to ask, written as `DOCKER_HOST`. */
  readonly dockerHost?: string | undefined;
}

/** Lists the containers of this package, whoever started them. */
export async function listContainers(filter: ContainerFilter = {}): Promise<readonly ContainerInfo[]> {
  return (await find(await openEngine(filter), filter)).filter(isContainer).map(describe);
}

/** Removes containers of this package, running or not, and gives those that are gone. No other is touched. */
export async function removeContainers(filter: ContainerFilter = {}): Promise<readonly ContainerInfo[]> {
  const engine = await openEngine(filter);
  const found = await find(engine, filter);
  const outcomes = await Promise.allSettled(found.map((sandbox) => remove(engine, sandbox)));
  const failures = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
  if (failures.length > 0) {
    throw new AggregateError(
      failures,
      `${failures.length} of ${found.length} containers can't be removed: ${String(failures[0])}`,
    );
  }
  return found.filter(isContainer).map(describe);
}

async function remove(engine: Engine, { id, ports }: SandboxSummary): Promise<void> {
  await engine.remove(id);
  for (const { host, port } of ports) await removeRuntimeEntry(host, port, id);
}

function find(engine: Engine, { image }: ContainerFilter): Promise<readonly SandboxSummary[]> {
  return engine.list({
    [CONTAINER_LABEL]: "1",
    ...(image === undefined ? {} : { [IMAGE_LABEL]: fullImageName(image, "image") }),
  });
}

/** Whether it runs cells. What helps another container is removed as well, but is nobody's business. */
function isContainer({ labels }: SandboxSummary): boolean {
  return labels[HELPER_LABEL] === undefined;
}

function describe({ id, image, running, createdAt, labels, ports }: SandboxSummary): ContainerInfo {
  return {
    id,
    image: labels[IMAGE_LABEL] ?? image,
    running,
    port: ports[0]?.port,
    createdAt: labels[CREATED_LABEL] ?? createdAt.toISOString(),
    owner: labels[OWNER_LABEL] ?? "unknown",
  };
}

async function openEngine({ dockerHost }: ContainerFilter): Promise<Engine> {
  const { DockerEngine } = await import("./engine/docker/docker-engine.ts");
  const engine = new DockerEngine(dockerHost);
  await engine.check();
  return engine;
}
