import { existsSync } from "node:fs";
import { join } from "node:path";
import { IpyboxError } from "../../errors.ts";
import { homeDirectory } from "../../internal/home-directory.ts";
import { currentContext, readContext } from "./contexts.ts";
import { PUBLIC_TLS, readTls, type EndpointTls } from "./tls.ts";

/** Where a Docker daemon listens. `url` is what the user wrote, `source` where. */
export type Endpoint = { readonly url: string; readonly source: string } & (
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly tls: EndpointTls | undefined }
  | { readonly kind: "ssh"; readonly host: string; readonly port: number | undefined; readonly user: string | undefined }
);

/** Finds the daemon as the `docker` command does: option, `DOCKER_HOST`, `DOCKER_CONTEXT`, current context, default. */
export function resolveEndpoint(dockerHost?: string, env: NodeJS.ProcessEnv = process.env): Endpoint {
  if (dockerHost !== undefined) return parseEndpoint(dockerHost, "dockerHost", () => environmentTls(env));
  if (env.DOCKER_HOST) return parseEndpoint(env.DOCKER_HOST, "DOCKER_HOST", () => environmentTls(env));
  const name = env.DOCKER_CONTEXT || currentContext(env);
  if (name !== undefined && name !== "default") {
    const context = readContext(name, env);
    return parseEndpoint(context.host, `docker context "${name}"`, () => context.tls);
  }
  return defaultEndpoint(env);
}

/** True when ports that the daemon publishes on the loopback interface can be reached from here. */
export function isLocal(endpoint: Endpoint): boolean {
  if (endpoint.kind === "socket") return true;
  return endpoint.kind === "tcp" && /^(localhost|127(\.\d+){3}|\[?::1\]?)$/.test(endpoint.host);
}

/** The host where ports that the daemon publishes are reached. */
export function publishedHost(endpoint: Endpoint): string {
  return isLocal(endpoint) || endpoint.kind === "socket" ? "127.0.0.1" : endpoint.host;
}

function parseEndpoint(text: string, source: string, tls: () => EndpointTls | undefined): Endpoint {
  const socket = /^(?:unix|npipe):\/\/(.+)$/.exec(text)?.[1];
  if (socket !== undefined) return { kind: "socket", url: text, source, path: socket };
  const url = URL.canParse(text.includes("://") ? text : `tcp://${text}`)
    ? new URL(text.includes("://") ? text : `tcp://${text}`)
    : undefined;
  if (url !== undefined && url.hostname !== "") {
    const host = url.hostname;
    const port = url.port === "" ? undefined : Number(url.port);
    if (url.protocol === "ssh:") {
      return { kind: "ssh", url: text, source, host, port, user: url.username === "" ? undefined : url.username };
    }
    if (url.protocol === "tcp:" || url.protocol === "http:" || url.protocol === "https:") {
      const certificates = tls() ?? (url.protocol === "https:" ? PUBLIC_TLS : undefined);
      return {
        kind: "tcp",
        url: text,
        source,
        host,
        port: port ?? (certificates === undefined ? 2375 : 2376),
        tls: certificates,
      };
    }
  }
  throw new IpyboxError(
    "daemon_unreachable",
    `${source} is "${text}", which is no address of a Docker daemon. ` +
      "Write unix:///var/run/docker.sock, tcp://HOST:PORT or ssh://USER@HOST.",
    { details: { dockerHost: text, source } },
  );
}

function environmentTls(env: NodeJS.ProcessEnv): EndpointTls | undefined {
  const verify = Boolean(env.DOCKER_TLS_VERIFY);
  if (!verify && !env.DOCKER_TLS) return undefined;
  return readTls(env.DOCKER_CERT_PATH || join(homeDirectory(), ".docker"), verify);
}

function defaultEndpoint(env: NodeJS.ProcessEnv): Endpoint {
  const source = "the default";
  if (process.platform === "win32") {
    const path = "//./pipe/docker_engine";
    return { kind: "socket", url: `npipe://${path}`, source, path };
  }
  const candidates = [
    "/var/run/docker.sock",
    ...(env.XDG_RUNTIME_DIR ? [join(env.XDG_RUNTIME_DIR, "docker.sock")] : []),
    join(homeDirectory(), ".docker/run/docker.sock"),
    join(homeDirectory(), ".colima/default/docker.sock"),
  ];
  const path = candidates.find((candidate) => existsSync(candidate)) ?? "/var/run/docker.sock";
  return { kind: "socket", url: `unix://${path}`, source, path };
}
