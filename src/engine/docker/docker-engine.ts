import type Docker from "dockerode";
import { IpyboxError } from "../../errors.ts";
import { AGENT_PORT } from "../../protocol/agent-config.ts";
import type {
  BuildRequest,
  BuiltImage,
  Engine,
  EngineInfo,
  ImportRequest,
  PullOptions,
  SandboxAddress,
  SandboxSpec,
  SandboxState,
  SandboxSummary,
} from "../engine.ts";
import { abortable } from "./abortable.ts";
import { rootArchive } from "./archive.ts";
import { connectDocker } from "./connect.ts";
import { checkDaemon } from "./daemon.ts";
import { isLocal, publishedHost, resolveEndpoint, type Endpoint } from "./endpoint.ts";
import { daemonMessage, engineFailure, statusOf } from "./failures.ts";
import { buildImage, findImage, importImage, pullImage } from "./images.ts";
import { readLogs } from "./logs.ts";
import { containerProfile } from "./profile.ts";

/** Docker, through its Engine API. */
export class DockerEngine implements Engine {
  /** The daemon's address as the user has set it. */
  readonly url: string;
  /** Whether host paths and published ports are those of this machine. */
  readonly isLocal: boolean;
  readonly #endpoint: Endpoint;
  readonly #docker: Docker;

  /** @param dockerHost - As `DOCKER_HOST`; without it the environment and docker contexts decide. */
  constructor(dockerHost?: string) {
    this.#endpoint = resolveEndpoint(dockerHost);
    this.#docker = connectDocker(this.#endpoint);
    this.url = this.#endpoint.url;
    this.isLocal = isLocal(this.#endpoint);
  }

  check(signal?: AbortSignal): Promise<EngineInfo> {
    return checkDaemon(this.#docker, this.#endpoint, signal);
  }

  async hasImage(image: string, signal?: AbortSignal): Promise<boolean> {
    const found = await this.#ask(`Image ${image} can't be looked up`, () => findImage(this.#docker, image, signal), signal);
    return found !== undefined;
  }

  pullImage(image: string, options: PullOptions): Promise<void> {
    return this.#ask(`Image ${image} can't be pulled`, () => pullImage(this.#docker, image, options), options.signal);
  }

  importImage(request: ImportRequest): Promise<void> {
    const what = `The base image ${request.tag} can't be imported`;
    return this.#ask(what, () => importImage(this.#docker, request), request.signal);
  }

  buildImage(request: BuildRequest): Promise<BuiltImage> {
    const what = `Image ${request.tag} can't be built`;
    return this.#ask(what, () => buildImage(this.#docker, request), request.signal);
  }

  async create(spec: SandboxSpec, signal?: AbortSignal): Promise<string> {
    const what = `A container of image ${spec.image} can't be created`;
    const body = { ...containerProfile(spec, this.isLocal ? "127.0.0.1" : "0.0.0.0"), ...abortable(signal) };
    const container = await this.#ask(what, () => this.#docker.createContainer(body), signal).catch((error: unknown) => {
      throw refineCreateFailure(error, spec);
    });
    if (spec.files.length === 0) return container.id;
    try {
      const options = { path: "/", ...abortable(signal) };
      const archive = await rootArchive(spec.files);
      await this.#ask(what, () => container.putArchive(archive, options), signal);
    } catch (error) {
      await this.remove(container.id);
      throw error;
    }
    return container.id;
  }

  async start(id: string, signal?: AbortSignal): Promise<void> {
    const container = this.#docker.getContainer(id);
    await this.#ask(`Container ${short(id)} can't be started`, () => container.start(abortable(signal)), signal).catch(
      (error: unknown) => {
        throw refineStartFailure(error);
      },
    );
  }

  async address(id: string, signal?: AbortSignal): Promise<SandboxAddress> {
    const container = this.#docker.getContainer(id);
    const found = await this.#ask(
      `Container ${short(id)} can't be inspected`,
      () => container.inspect(abortable(signal)),
      signal,
    );
    const port = Number(found.NetworkSettings.Ports[`${AGENT_PORT}/tcp`]?.[0]?.HostPort);
    if (!Number.isInteger(port) || port === 0) {
      const reason = found.State.Running ? "it has no network" : `it ended with status ${found.State.ExitCode}`;
      throw new IpyboxError("container_start_failed", `Container ${short(id)} publishes no port: ${reason}.`, {
        details: { containerId: id, exitCode: found.State.ExitCode, running: found.State.Running },
      });
    }
    return { host: publishedHost(this.#endpoint), port };
  }

  async inspect(id: string, signal?: AbortSignal): Promise<SandboxState | undefined> {
    const container = this.#docker.getContainer(id);
    const found = await this.#ask(
      `Container ${short(id)} can't be inspected`,
      () => container.inspect(abortable(signal)).catch(undefinedIfMissing),
      signal,
    );
    if (found === undefined) return undefined;
    const { State: state, Config: config } = found;
    return {
      id: found.Id,
      running: state.Running,
      exitCode: state.Running ? undefined : state.ExitCode,
      oomKilled: state.OOMKilled,
      error: state.Error === "" ? undefined : state.Error,
      labels: config.Labels,
    };
  }

  logs(id: string, lines: number): Promise<string> {
    return this.#ask(`The log of container ${short(id)} can't be read`, () => readLogs(this.#docker.getContainer(id), lines));
  }

  async remove(id: string): Promise<void> {
    const container = this.#docker.getContainer(id);
    try {
      await container.remove({ force: true, v: true });
    } catch (error) {
      const underway = statusOf(error) === 409 && daemonMessage(error).includes("already in progress");
      if (statusOf(error) === 404) return;
      if (!underway) throw engineFailure(`Container ${short(id)} can't be removed`, error, this.#endpoint);
      await container.wait({ condition: "removed" }).catch(undefinedIfMissing);
    }
  }

  async list(labels: Readonly<Record<string, string>>): Promise<readonly SandboxSummary[]> {
    const filters = { label: Object.entries(labels).map(([name, value]) => (value === "" ? name : `${name}=${value}`)) };
    const found = await this.#ask("The containers can't be listed", () => this.#docker.listContainers({ all: true, filters }));
    const host = publishedHost(this.#endpoint);
    return found.map((container) => ({
      id: container.Id,
      name: (container.Names[0] ?? "").replace(/^\//, ""),
      image: container.Image,
      running: container.State === "running",
      createdAt: new Date(container.Created * 1000),
      labels: container.Labels,
      ports: container.Ports.filter((port) => port.PublicPort !== undefined).map((port) => ({ host, port: port.PublicPort })),
    }));
  }

  async #ask<T>(what: string, request: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await request();
    } catch (error) {
      signal?.throwIfAborted();
      throw engineFailure(what, error, this.#endpoint);
    }
  }
}

function undefinedIfMissing(error: unknown): undefined {
  if (statusOf(error) !== 404) throw error;
}

function short(id: string): string {
  return id.slice(0, 12);
}

function refineCreateFailure(error: unknown, spec: SandboxSpec): unknown {
  if (!(error instanceof IpyboxError) || error.code !== "engine_failed") return error;
  const { message, details, cause } = error;
  if (statusOf(cause) === 404) {
    const text = `There is no image ${spec.image} on this machine. Build it with \`npx ipybox build -t ${spec.image}\`.`;
    return new IpyboxError("image_not_found", text, { details: { ...details, image: spec.image }, cause });
  }
  if (!/bind source path|mount/i.test(message)) return error;
  const text = `${message}. A bind's host directory must exist on the machine where the daemon runs.`;
  return new IpyboxError("bind_failed", text, { details, cause });
}

function refineStartFailure(error: unknown): unknown {
  if (!(error instanceof IpyboxError) || error.code !== "engine_failed") return error;
  const { message, details, cause } = error;
  const taken = /(?:port is already allocated|address already in use)/i.test(message);
  if (!taken) return new IpyboxError("container_start_failed", message, { details, cause });
  const port = Number(/:(\d+)(?:\/\w+)?(?: failed|: bind)/.exec(message)?.[1]);
  const text = `Port ${port} of the host is taken. Pass another \`port\`, or none to get a free one.`;
  return new IpyboxError("port_taken", text, { details: { ...details, port }, cause });
}
