import type Docker from "dockerode";
import { IpyboxError } from "../../errors.ts";
import type { EngineInfo } from "../engine.ts";
import { ask, understood } from "./ask.ts";
import type { StorageFacts } from "./disk.ts";
import type { Endpoint } from "./endpoint.ts";

/** Docker 20.10: the first with private cgroup namespaces, without which a sandbox sees the host's cgroups. */
const OLDEST_API = "1.41";
/** The newest API whose meaning this package knows. A newer daemon is spoken to in this version. */
const NEWEST_API = "1.47";
const DEADLINE_MS = 4_500;
/** For so long a daemon's host is taken to be as it was: it takes the daemon 10 ms to tell. */
const HOST_MS = 10_000;

interface HostInfo extends StorageFacts {
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly Runtimes?: Readonly<Record<string, unknown>>;
}

/** What is known of a daemon. */
export interface DaemonFacts {
  readonly engine: EngineInfo;
  readonly storage: StorageFacts;
}

const hosts = new Map<string, { readonly info: HostInfo; readonly until: number }>();

/** Makes sure that the daemon answers and is new enough, and settles the API version to speak. */
export async function checkDaemon(docker: Docker, endpoint: Endpoint, signal?: AbortSignal): Promise<DaemonFacts> {
  const known = knownHost(endpoint);
  const request = (abortSignal: AbortSignal): Promise<[Docker.DockerVersion, HostInfo]> =>
    Promise.all([
      get<Docker.DockerVersion>(docker, "/version", abortSignal),
      known ?? get<HostInfo>(docker, "/info", abortSignal),
    ]);
  const what = `The Docker daemon at ${endpoint.url} can't be used`;
  const [version, info] = await ask(endpoint, what, request, { signal, timeoutMs: DEADLINE_MS });
  settleVersion(docker, version, endpoint);
  const { NCPU: cpus, MemTotal: memoryBytes } = understood(what, info, "NCPU", "MemTotal");
  const runtimes = Object.keys(info.Runtimes ?? {});
  if (known === undefined) hosts.set(endpoint.url, { info, until: performance.now() + HOST_MS });
  return { engine: { version: version.Version, apiVersion: version.ApiVersion, cpus, memoryBytes, runtimes }, storage: info };
}

function knownHost({ url }: Endpoint): HostInfo | undefined {
  const known = hosts.get(url);
  return known !== undefined && performance.now() < known.until ? known.info : undefined;
}

// dockerode's types know no signal for these two.
function get<T>(docker: Docker, path: string, abortSignal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = { path, method: "GET", abortSignal, statusCodes: { 200: true, 400: "bad request", 500: "server error" } };
    docker.modem.dial(request, (error, answer) => (error === null ? resolve(answer as T) : reject(error)));
  });
}

function settleVersion(docker: Docker, version: Docker.DockerVersion, endpoint: Endpoint): void {
  const { ApiVersion: newest, MinAPIVersion: oldest, Version: release } = version;
  if (typeof newest !== "string" || !/^\d+\.\d+$/.test(newest)) {
    throw new IpyboxError(
      "daemon_unreachable",
      `What answers at ${endpoint.url} is no Docker daemon. Check ${endpoint.source}.`,
      {
        details: { dockerHost: endpoint.url, source: endpoint.source },
      },
    );
  }
  if (compareVersions(newest, OLDEST_API) < 0) {
    throw new IpyboxError(
      "daemon_too_old",
      `The Docker daemon at ${endpoint.url} is too old: Docker ${release} speaks API ${newest}, needed is ${OLDEST_API}. ` +
        "Upgrade it to Docker 20.10 or later.",
      { details: { dockerHost: endpoint.url, version: release, apiVersion: newest, neededApiVersion: OLDEST_API } },
    );
  }
  const spoken = compareVersions(newest, NEWEST_API) < 0 ? newest : NEWEST_API;
  const tooOldForDaemon = typeof oldest === "string" && compareVersions(spoken, oldest) < 0;
  (docker.modem as { version?: string }).version = `v${tooOldForDaemon ? oldest : spoken}`;
}

/** Below 0 when `a` is the older one. */
export function compareVersions(a: string, b: string): number {
  const [majorA = 0, minorA = 0] = a.split(".").map(Number);
  const [majorB = 0, minorB = 0] = b.split(".").map(Number);
  return majorA - majorB || minorA - minorB;
}
