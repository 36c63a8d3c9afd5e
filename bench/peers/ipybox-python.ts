import type { Bench } from "../bench.ts";
import { DriverPeer } from "./driver-peer.ts";
import { DriverProcess } from "./driver-process.ts";
import { PeerContainer, runOptions, untilAnswers } from "./peer-container.ts";

/** The gateway as ipybox's own image starts it. */
export const GATEWAY = [
  "/peers/ipybox/bin/jupyter",
  "kernelgateway",
  "--KernelGatewayApp.ip=0.0.0.0",
  "--KernelGatewayApp.port=8888",
];

/**
 * The Python project ipybox, in its last version with containers: its client against a Jupyter Kernel Gateway.
 * The client runs in a container with the host's network, so that it comes in by the published port, as ours does.
 */
export function ipyboxPython(bench: Bench): DriverPeer {
  return new DriverPeer("ipybox 0.6.7 (Python)", async () => {
    const container = await PeerContainer.start(bench, ["--publish", "127.0.0.1::8888"], GATEWAY);
    const port = await container.port(8888);
    await untilAnswers(`http://127.0.0.1:${port}/api`);
    const driver = new DriverProcess("docker", [
      ...["run", "--interactive", "--network", "host", ...runOptions(bench), bench.peersImage],
      ...["/peers/ipybox/bin/python", "/peers/drivers/ipybox_driver.py", String(port)],
    ]);
    return { container, driver };
  });
}
