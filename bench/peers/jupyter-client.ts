import type { Bench } from "../bench.ts";
import { DriverPeer } from "./driver-peer.ts";
import { DriverProcess } from "./driver-process.ts";
import { PeerContainer } from "./peer-container.ts";

/** jupyter_client and ipykernel without anything between them, both in one container. */
export function jupyterClient(bench: Bench): DriverPeer {
  return new DriverPeer("jupyter_client + ipykernel", async () => {
    const container = await PeerContainer.start(bench, [], ["sleep", "infinity"]);
    const driver = new DriverProcess("docker", [
      ...["exec", "--interactive", container.id],
      ...["/peers/jupyter/bin/python", "/peers/drivers/jupyter_client_driver.py"],
    ]);
    return { container, driver };
  });
}
