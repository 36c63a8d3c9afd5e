import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import type { Bench } from "../bench.ts";
import { DriverPeer } from "./driver-peer.ts";
import { DriverProcess } from "./driver-process.ts";
import { PeerContainer, untilAnswers } from "./peer-container.ts";

/** A Jupyter server in a container, and JupyterLab's own client from Node, in a process of its own. */
export function jupyterServer(bench: Bench): DriverPeer {
  return new DriverPeer("jupyter_server + @jupyterlab/services", async () => {
    const token = randomUUID();
    const container = await PeerContainer.start(
      bench,
      ["--publish", "127.0.0.1::8888", "--env", `JUPYTER_TOKEN=${token}`],
      ["/peers/jupyter/bin/jupyter", "server", "--ServerApp.ip=0.0.0.0", "--ServerApp.port=8888", "--no-browser"],
    );
    const url = `http://127.0.0.1:${await container.port(8888)}/`;
    await untilAnswers(`${url}api`);
    const driver = new DriverProcess(process.execPath, [
      ...["--import", import.meta.resolve("tsx"), fileURLToPath(new URL("drivers/jupyter-services.ts", import.meta.url))],
      ...[bench.packages, url, token],
    ]);
    return { container, driver };
  });
}
