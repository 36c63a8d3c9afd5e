import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { IpyboxError } from "../../errors.ts";
import { homeDirectory } from "../../internal/home-directory.ts";
import { readTls, type EndpointTls } from "./tls.ts";

/** What a docker context tells about its daemon. */
export interface DockerContext {
  readonly host: string;
  readonly tls: EndpointTls | undefined;
}

interface ContextMeta {
  readonly Endpoints?: { readonly docker?: { readonly Host?: string; readonly SkipTLSVerify?: boolean } };
}

/** The Docker client's own configuration, `{}` when there is none. */
export function readDockerConfig(env: NodeJS.ProcessEnv = process.env): Readonly<Record<string, unknown>> {
  const path = join(configDirectory(env), "config.json");
  if (!existsSync(path)) return {};
  try {
    const config: unknown = JSON.parse(readFileSync(path, "utf8"));
    return typeof config === "object" && config !== null ? { ...config } : {};
  } catch (cause) {
    throw new IpyboxError("daemon_unreachable", `Docker's configuration ${path} can't be read. Mend or remove it.`, {
      details: { path },
      cause,
    });
  }
}

/** The name that `docker context use` has set. */
export function currentContext(env: NodeJS.ProcessEnv): string | undefined {
  const name = readDockerConfig(env).currentContext;
  return typeof name === "string" && name !== "" ? name : undefined;
}

/** Reads a context that `docker context create` has made. */
export function readContext(name: string, env: NodeJS.ProcessEnv): DockerContext {
  const id = createHash("sha256").update(name).digest("hex");
  const metaPath = join(configDirectory(env), "contexts", "meta", id, "meta.json");
  const tlsDirectory = join(configDirectory(env), "contexts", "tls", id, "docker");
  let meta: ContextMeta;
  try {
    meta = JSON.parse(readFileSync(metaPath, "utf8")) as ContextMeta;
  } catch (cause) {
    throw new IpyboxError(
      "daemon_unreachable",
      `The docker context "${name}" can't be read from ${metaPath}. See \`docker context ls\`, or set DOCKER_HOST.`,
      { details: { context: name, path: metaPath }, cause },
    );
  }
  const endpoint = meta.Endpoints?.docker;
  if (!endpoint?.Host) {
    throw new IpyboxError(
      "daemon_unreachable",
      `The docker context "${name}" names no Docker daemon. See \`docker context inspect ${name}\`, or set DOCKER_HOST.`,
      { details: { context: name, path: metaPath } },
    );
  }
  const tls = existsSync(tlsDirectory) ? readTls(tlsDirectory, !endpoint.SkipTLSVerify) : undefined;
  return { host: endpoint.Host, tls };
}

function configDirectory(env: NodeJS.ProcessEnv): string {
  return env.DOCKER_CONFIG || join(homeDirectory(), ".docker");
}
