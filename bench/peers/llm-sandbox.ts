import type { Bench } from "../bench.ts";
import { docker, LABEL } from "../docker.ts";
import { DriverPeer } from "./driver-peer.ts";
import { DriverProcess } from "./driver-process.ts";
import { PeerContainer } from "./peer-container.ts";

/**
 * llm-sandbox's interactive session. Its client makes the containers itself, so it gets the daemon's socket;
 * the image is the one of all peers, since its own can only be had from a registry.
 */
export function llmSandbox(bench: Bench): DriverPeer {
  return new DriverPeer("llm-sandbox (interactive)", async () => {
    const endpoint = process.env["DOCKER_HOST"] ?? (await docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}"));
    if (!endpoint.startsWith("unix://"))
      throw new Error(`its driver needs the daemon's socket, and the daemon is at ${endpoint}`);
    const socket = endpoint.slice("unix://".length);
    const container = await PeerContainer.start(
      bench,
      ["--user", "0", "--volume", `${socket}:/var/run/docker.sock`],
      ["sleep", "infinity"],
    );
    const driver = new DriverProcess("docker", [
      ...["exec", "--interactive", container.id],
      ...["/peers/llm-sandbox/bin/python", "/peers/drivers/llm_sandbox_driver.py", bench.peersImage, LABEL, bench.run],
    ]);
    return { container, driver };
  });
}
