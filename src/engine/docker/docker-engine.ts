import type Docker from "dockerode";
import { IpyboxError } from "../../errors.ts";
import { AGENT_PORT } from "../../protocol/agent-config.ts";
import type {
  BuildRequest,
  BuiltImage,
  ChangeNetworkOptions,
  Engine,
  EngineInfo,
  ImportRequest,
  NetworkChange,
  NetworkRequest,
  PullOptions,
  SandboxAddresses,
  SandboxEnding,
  SandboxLog,
  SandboxSpec,
  SandboxState,
  SandboxSummary,
} from "../engine.ts";
import type { Finding } from "../doctor.ts";
import { createContainer } from "./create.ts";
import { abortable } from "./abortable.ts";
import { rootArchive } from "./archive.ts";
import { ANSWER_MS, ask, type AskOptions, reading, understood } from "./ask.ts";
import { connectDocker } from "./connect.ts";
import { checkDaemon } from "./daemon.ts";
import { examineDaemon } from "./doctor/examine.ts";
import { isLocal, publishedHost, resolveEndpoint, type Endpoint } from "./endpoint.ts";
import { emptyLayer, isTooDeep } from "./deep-layer.ts";
import { createBounded, mayBoundDisk } from "./disk.ts";
import { readEnding } from "./ending.ts";
import { createFailure, startFailure, statusOf } from "./failures.ts";
import { buildImage, findImage, importImage, pullImage, refuseVolumes } from "./images.ts";
import { watchLog } from "./logs.ts";
import { runNetworkHelper } from "./network.ts";
import { ownAddress } from "./own-address.ts";
import { containerProfile } from "./profile.ts";
import { awaitRemoval, removeContainer } from "./removal.ts";

/** How long the daemon may take to end and remove a container. Of a million small files, each takes its time. */
const REMOVE_MS = 120_000;

/** Docker, through its Engine API. */
export class DockerEngine implements Engine {
  /** The daemon's address as the user has set it. */
  readonly url: string;
  /** Whether host paths and published ports are those of this machine. */
  readonly isLocal: boolean;
  readonly #endpoint: Endpoint;
  readonly #docker: Docker;
  #mayBoundDisk = false;

  /** @param dockerHost - As `DOCKER_HOST`; without it the environment and docker contexts decide. */
  constructor(dockerHost?: string) {
    this.#endpoint = resolveEndpoint(dockerHost);
    this.#docker = connectDocker(this.#endpoint);
    this.url = this.#endpoint.url;
    this.isLocal = isLocal(this.#endpoint);
  }

  async check(signal?: AbortSignal): Promise<EngineInfo> {
    const { engine, storage } = await checkDaemon(this.#docker, this.#endpoint, signal);
    this.#mayBoundDisk = mayBoundDisk(storage);
    return engine;
  }

  examine(signal?: AbortSignal): Promise<readonly Finding[]> {
    return examineDaemon(this.#docker, this.#endpoint, signal);
  }

  async hasImage(image: string, signal?: AbortSignal): Promise<boolean> {
    const what = `Image ${image} can't be looked up`;
    const options = { signal, timeoutMs: ANSWER_MS };
    const found = await this.#ask(what, (abortSignal) => findImage(this.#docker, image, abortSignal), options);
    if (found !== undefined) refuseVolumes(image, understood(what, found, "Id"));
    return found !== undefined;
  }

  pullImage(image: string, options: PullOptions): Promise<void> {
    return this.#ask(`Image ${image} can't be pulled`, () => pullImage(this.#docker, image, options), options);
  }

  importImage(request: ImportRequest): Promise<void> {
    const what = `The base image ${request.tag} can't be imported`;
    return this.#ask(what, () => importImage(this.#docker, request), request);
  }

  buildImage(request: BuildRequest): Promise<BuiltImage> {
    const what = `Image ${request.tag} can't be built`;
    return this.#ask(what, () => buildImage(this.#docker, request), request);
  }

  async create(spec: SandboxSpec, timeoutMs: number): Promise<string> {
    const what = `A container of image ${spec.image} can't be created`;
    const profile = containerProfile(spec, this.isLocal ? "127.0.0.1" : "0.0.0.0");
    try {
      const request = (abortSignal: AbortSignal): Promise<Docker.Container> =>
        this.#create({ ...profile, ...abortable(abortSignal) }, spec.diskBytes);
      const { id } = understood(what, await this.#ask(what, request, { timeoutMs }), "id");
      if (spec.files.length === 0) return id;
      const archive = await rootArchive(spec.files);
      const lay = (abortSignal: AbortSignal): Promise<unknown> =>
        this.#docker.getContainer(id).putArchive(archive, { path: "/", ...abortable(abortSignal) });
      await this.#ask(what, lay, { timeoutMs });
      return id;
    } catch (error) {
      // The daemon may have made it, and only its answer was lost.
      if (statusOf((error as Error).cause) !== 404) await this.#removeAll(spec.labels);
      throw createFailure(error, spec.image);
    }
  }

  async start(id: string, signal?: AbortSignal): Promise<void> {
    const container = this.#docker.getContainer(id);
    const request = (abortSignal: AbortSignal): Promise<unknown> => container.start(abortable(abortSignal));
    await this.#ask(`Container ${short(id)} can't be started`, request, { signal }).catch((error: unknown) => {
      throw startFailure(error);
    });
  }

  async address(id: string, signal?: AbortSignal): Promise<SandboxAddresses> {
    const container = this.#docker.getContainer(id);
    const what = `Container ${short(id)} can't be inspected`;
    const request = (abortSignal: AbortSignal): Promise<Docker.ContainerInspectInfo | undefined> =>
      container.inspect(abortable(abortSignal)).catch(undefinedIfMissing);
    const answer = await this.#ask(what, request, { signal, timeoutMs: ANSWER_MS });
    if (answer === undefined) throw await this.#endedEarly(id, signal);
    const found = understood(what, answer, "State", "NetworkSettings");
    const port = reading(what, () => Number(found.NetworkSettings.Ports[`${AGENT_PORT}/tcp`]?.[0]?.HostPort));
    if (!Number.isInteger(port) || port === 0) {
      const reason = found.State.Running ? "it has no network" : `it ended with status ${found.State.ExitCode}`;
      throw new IpyboxError("container_start_failed", `Container ${short(id)} publishes no port: ${reason}.`, {
        details: { containerId: id, exitCode: found.State.ExitCode, running: found.State.Running },
      });
    }
    return { host: publishedHost(this.#endpoint), port, own: reading(what, () => ownAddress(this.#endpoint, found)) };
  }

  async changeNetwork(id: string, request: NetworkRequest, options: ChangeNetworkOptions): Promise<NetworkChange> {
    const what = `The network policy of container ${short(id)} can't be put into effect`;
    let run: Promise<Docker.Container> | undefined;
    const remove = (helper: string): Promise<void> => this.remove(helper);
    const start = (signal: AbortSignal): Promise<Docker.Container> =>
      (run = runNetworkHelper(this.#docker, id, request, { signal, remove }));
    try {
      const helper = await this.#ask(what, start, options);
      const removed = (signal: AbortSignal): Promise<void> => awaitRemoval(helper, signal);
      // It removes itself; but the daemon may not tell.
      const waited = this.#ask(what, removed, { timeoutMs: REMOVE_MS }).catch(nothing);
      return { gone: waited.then(() => this.remove(helper.id)).catch(nothing) };
    } catch (error) {
      // Whatever has ended the waiting: what was begun is removed first.
      await this.#ask(what, () => run ?? Promise.resolve(undefined), { timeoutMs: REMOVE_MS }).catch(nothing);
      throw error;
    }
  }

  async inspect(id: string, signal?: AbortSignal): Promise<SandboxState | undefined> {
    const container = this.#docker.getContainer(id);
    const what = `Container ${short(id)} can't be inspected`;
    const request = (abortSignal: AbortSignal): Promise<Docker.ContainerInspectInfo | undefined> =>
      container.inspect(abortable(abortSignal)).catch(undefinedIfMissing);
    const found = await this.#ask(what, request, { signal, timeoutMs: ANSWER_MS });
    if (found === undefined) return undefined;
    const { State: state, Config: config } = understood(what, found, "State", "Config");
    return {
      id: found.Id,
      running: state.Running,
      exitCode: state.Running ? undefined : state.ExitCode,
      oomKilled: state.OOMKilled,
      error: state.Error === "" ? undefined : state.Error,
      labels: config.Labels ?? {},
    };
  }

  ending(id: string, signal?: AbortSignal): Promise<SandboxEnding | undefined> {
    const request = (abortSignal: AbortSignal): Promise<SandboxEnding | undefined> => readEnding(this.#docker, id, abortSignal);
    return this.#ask(`The end of container ${short(id)} can't be looked up`, request, { signal, timeoutMs: ANSWER_MS });
  }

  watchLog(id: string, signal?: AbortSignal): Promise<SandboxLog> {
    const request = (): Promise<SandboxLog> => watchLog(this.#docker.getContainer(id));
    return this.#ask(`The log of container ${short(id)} can't be read`, request, { signal, timeoutMs: ANSWER_MS });
  }

  async remove(id: string): Promise<void> {
    const container = this.#docker.getContainer(id);
    try {
      await this.#remove(container);
    } catch (error) {
      if (!isTooDeep((error as Error).cause)) throw error;
      const what = `The files of container ${short(id)}, which are nested deeper than its daemon may open, can't be deleted`;
      const remove = (deleter: Docker.Container): Promise<void> => this.#remove(deleter);
      const empty = (signal: AbortSignal): Promise<void> => emptyLayer(this.#docker, id, { signal, remove });
      await this.#ask(what, empty, { timeoutMs: REMOVE_MS });
      await this.#remove(container);
    }
  }

  async list(labels: Readonly<Record<string, string>>): Promise<readonly SandboxSummary[]> {
    const filters = { label: Object.entries(labels).map(([name, value]) => (value === "" ? name : `${name}=${value}`)) };
    const request = (): Promise<Docker.ContainerInfo[]> => this.#docker.listContainers({ all: true, filters });
    const what = "The containers can't be listed";
    const found = understood(what, await this.#ask(what, request, { timeoutMs: ANSWER_MS }), "map");
    const host = publishedHost(this.#endpoint);
    const summary = (container: Docker.ContainerInfo): SandboxSummary => ({
      id: container.Id,
      name: (container.Names[0] ?? "").replace(/^\//, ""),
      image: container.Image,
      running: container.State === "running",
      createdAt: new Date(container.Created * 1000),
      labels: container.Labels ?? {},
      ports: container.Ports.filter((port) => port.PublicPort !== undefined).map((port) => ({ host, port: port.PublicPort })),
    });
    return reading(what, () => found.map(summary));
  }

  #remove(container: Docker.Container): Promise<void> {
    const request = (signal: AbortSignal): Promise<void> => removeContainer(container, signal);
    return this.#ask(`Container ${short(container.id)} can't be removed`, request, { timeoutMs: REMOVE_MS });
  }

  #create(profile: Docker.ContainerCreateOptions, diskBytes: number | null): Promise<Docker.Container> {
    if (diskBytes === null || !this.#mayBoundDisk) return createContainer(this.#docker, profile);
    return createBounded(this.#docker, profile, diskBytes);
  }

  /** The error for a container that is gone though it was just started. */
  async #endedEarly(id: string, signal: AbortSignal | undefined): Promise<IpyboxError> {
    const ending = await this.ending(id, signal).catch(() => undefined);
    const reason = ending === undefined ? "it was removed" : `it ended with status ${ending.exitCode}`;
    return new IpyboxError("container_start_failed", `Container ${short(id)} publishes no port: ${reason}.`, {
      details: { containerId: id, exitCode: ending?.exitCode, running: false },
    });
  }

  async #removeAll(labels: Readonly<Record<string, string>>): Promise<void> {
    const found = await this.list(labels).catch(() => []);
    await Promise.allSettled(found.map(({ id }) => this.remove(id)));
  }

  #ask<T>(what: string, request: (abortSignal: AbortSignal) => Promise<T>, options: AskOptions): Promise<T> {
    return ask(this.#endpoint, what, request, options);
  }
}

function nothing(): void {}

function undefinedIfMissing(error: unknown): undefined {
  if (statusOf(error) !== 404) throw error;
}

function short(id: string): string {
  return id.slice(0, 12);
}
