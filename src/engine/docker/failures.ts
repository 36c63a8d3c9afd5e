import { IpyboxError, type IpyboxErrorCode } from "../../errors.ts";
import type { Endpoint } from "./endpoint.ts";

/** A path that a cell has made may be in a message, and of any length. */
const MAX_MESSAGE = 4_000;

/** The daemon's own words for a failed request, without dockerode's frame; of long ones the beginning and the end. */
export function daemonMessage(error: unknown): string {
  const json = (error as { json?: { message?: unknown } } | undefined)?.json;
  const said = typeof json?.message === "string" ? json.message : error instanceof Error ? error.message : String(error);
  const message = said.trim();
  if (message.length <= MAX_MESSAGE) return message;
  return `${message.slice(0, MAX_MESSAGE / 2)} … ${message.slice(-MAX_MESSAGE / 2)}`;
}

/** The HTTP status of a failed request, or undefined when there was no answer. */
export function statusOf(error: unknown): number | undefined {
  const status = (error as { statusCode?: unknown } | undefined)?.statusCode;
  return typeof status === "number" ? status : undefined;
}

/** Says why the daemon can't be used at all, or undefined when it has answered. */
export function unusableDaemon(error: unknown, endpoint: Endpoint): IpyboxError | undefined {
  const status = statusOf(error);
  const code = String((error as NodeJS.ErrnoException | undefined)?.code);
  const details = { dockerHost: endpoint.url, source: endpoint.source };
  const where = `The Docker daemon at ${endpoint.url} (from ${endpoint.source})`;
  if (["EACCES", "EPERM"].includes(code) || status === 401 || status === 403) {
    const remedy =
      endpoint.kind === "socket"
        ? "Add your user to the group of that socket (`sudo usermod -aG docker $USER`, then log in again), or use rootless Docker."
        : "Check the certificates in DOCKER_CERT_PATH, or the rights of your account there.";
    return new IpyboxError("daemon_permission", `${where} does not let you in: ${daemonMessage(error)}. ${remedy}`, {
      details,
      cause: error,
    });
  }
  if (status !== undefined) return undefined;
  return new IpyboxError("daemon_unreachable", `${where} can't be reached: ${daemonMessage(error)}. ${remedyFor(endpoint)}`, {
    details,
    cause: error,
  });
}

/** Wraps a failure of the daemon: what was asked, and what it said. */
export function engineFailure(
  what: string,
  error: unknown,
  endpoint: Endpoint,
  code: IpyboxErrorCode = "engine_failed",
): IpyboxError {
  if (error instanceof IpyboxError) return error;
  return (
    unusableDaemon(error, endpoint) ??
    new IpyboxError(code, `${what}: ${daemonMessage(error)}`, {
      details: { dockerHost: endpoint.url, status: statusOf(error) },
      cause: error,
    })
  );
}

/** Says why a container was not created, if it was for one of the usual reasons. */
export function createFailure(error: unknown, image: string): unknown {
  if (!(error instanceof IpyboxError) || error.code !== "engine_failed") return error;
  const { message, details, cause } = error;
  if (statusOf(cause) === 404) {
    const text = `There is no image ${image} on this machine. Build it with \`npx ipybox build -t ${image}\`.`;
    return new IpyboxError("image_not_found", text, { details: { ...details, image }, cause });
  }
  if (!/bind source path|mount/i.test(message)) return error;
  const text = `${message}. A bind's host directory must exist on the machine where the daemon runs.`;
  return new IpyboxError("bind_failed", text, { details, cause });
}

/** Says why a container was not started, if it was for one of the usual reasons. */
export function startFailure(error: unknown): unknown {
  if (!(error instanceof IpyboxError) || error.code !== "engine_failed") return error;
  const { message, details, cause } = error;
  const taken = /(?:port is already allocated|address already in use)/i.test(message);
  if (!taken) return new IpyboxError("container_start_failed", message, { details, cause });
  const port = Number(/:(\d+)(?:\/\w+)?(?: failed|: bind)/.exec(message)?.[1]);
  const text = `Port ${port} of the host is taken. Pass another \`port\`, or none to get a free one.`;
  return new IpyboxError("port_taken", text, { details: { ...details, port }, cause });
}

function remedyFor(endpoint: Endpoint): string {
  switch (endpoint.kind) {
    case "socket":
      return "Start it (`sudo systemctl start docker`, or Docker Desktop), install it, or set DOCKER_HOST to the one to use.";
    case "tcp":
      return "Check that it runs and listens there, that no firewall is between, and that TLS is on at both ends or at none.";
    case "ssh":
      return "Check that `ssh` logs in there without a question (key, known_hosts), and that `docker` works there.";
  }
}
