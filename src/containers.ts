import { rm } from "node:fs/promises";
import type { Engine, SandboxSummary } from "./engine/engine.ts";
import { fullImageName } from "./image-reference.ts";
import { CONTAINER_LABEL, CREATED_LABEL, IMAGE_LABEL, OWNER_LABEL, SESSION_LABEL } from "./protocol/labels.ts";
import { listRuntimeFiles, removeRuntimeEntry } from "./runtime-dir.ts";

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
  return (await find(await openEngine(filter), filter)).map(describe);
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
  return found.map(describe);
}

/**
 * Removes what is left of containers that are gone: tokens that nothing needs any more, and containers that have helped
 * others. Gives how many containers they were of.
 */
export async function removeRemains({ dockerHost }: Pick<ContainerFilter, "dockerHost"> = {}): Promise<number> {
  const engine = await openEngine({ dockerHost });
  // The files first: what is written from here on is none of ours.
  const files = (await listRuntimeFiles()).filter(({ entry }) => entry === undefined || entry.dockerHost === engine.url);
  const all = await engine.list({ [SESSION_LABEL]: "" });
  const sessions = new Set(all.filter(({ labels }) => labels[CONTAINER_LABEL] !== undefined).map(sessionOf));
  const helpers = all.filter((sandbox) => !sessions.has(sessionOf(sandbox)));
  const stale = files.filter(({ session, isFresh }) => !sessions.has(session) && !isFresh);
  await Promise.all(helpers.map(({ id }) => engine.remove(id)));
  await Promise.all(stale.map(({ path }) => rm(path, { force: true })));
  return new Set([...helpers.map(sessionOf), ...stale.map(({ session }) => session)]).size;
}

function sessionOf({ labels }: SandboxSummary): string | undefined {
  return labels[SESSION_LABEL];
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
