import { Agent as TlsAgent } from "node:https";
import Docker from "dockerode";
import { IpyboxError } from "../../errors.ts";
import type { Endpoint } from "./endpoint.ts";
import { sshAgent } from "./ssh-agent.ts";

/** A client of the daemon's API. It connects when it is first used. */
export function connectDocker(endpoint: Endpoint): Docker {
  try {
    return new Docker({ ...UNSET, ...connection(endpoint) });
  } catch (cause) {
    throw new IpyboxError(
      "daemon_unreachable",
      `The settings for the Docker daemon at ${endpoint.url} (from ${endpoint.source}) can't be used. ` +
        "Check DOCKER_HOST and DOCKER_CERT_PATH.",
      { details: { dockerHost: endpoint.url, source: endpoint.source }, cause },
    );
  }
}

// What is left out, dockerode takes from the environment.
const UNSET = { host: undefined, port: undefined, socketPath: undefined, ca: undefined, cert: undefined, key: undefined };

function connection(endpoint: Endpoint): object {
  switch (endpoint.kind) {
    case "socket":
      return { protocol: "http", socketPath: endpoint.path };
    case "ssh":
      return { protocol: "http", host: "docker", port: 80, agent: sshAgent(endpoint) };
    case "tcp": {
      const { host, port, tls } = endpoint;
      if (tls === undefined) return { protocol: "http", host, port };
      const { ca, cert, key, verify } = tls;
      const agent = new TlsAgent({ keepAlive: true, maxFreeSockets: 2, timeout: 30_000, rejectUnauthorized: verify });
      return { protocol: "https", host, port, ca, cert, key, agent };
    }
  }
}
