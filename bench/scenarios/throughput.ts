import { samples } from "../bench.ts";
import { ipyboxPython } from "../peers/ipybox-python.ts";
import { Ipybox } from "../peers/ipybox.ts";
import { jupyterClient } from "../peers/jupyter-client.ts";
import { jupyterServer } from "../peers/jupyter-server.ts";
import { withPeers } from "../rounds.ts";
import { atLeast, type Scenario } from "../scenario.ts";
import { median } from "../statistics.ts";

const CLIENTS = 16;

export const throughput: Scenario = {
  name: "throughput",
  title: "Executions a second",
  about:
    `${CLIENTS} clients of one process, each with a kernel of its own in one and the same container, run \`1+1\` back to back for 3 s. ` +
    "Client, agent and kernels share the machine's cores.",
  limitMs: 240_000,
  async run(bench) {
    const own = new Ipybox(bench);
    const peers = [own, ipyboxPython(bench), jupyterClient(bench), jupyterServer(bench)];
    return withPeers(peers, async () => {
      const found = new Map(peers.map((peer) => [peer, [] as number[]]));
      for (let round = 0; round < samples(bench, 3, 1); round += 1) {
        for (const [peer, rates] of found) rates.push(await peer.perform("throughput", { clients: CLIENTS, seconds: 3 }));
      }
      return {
        figures: [...found].map(([peer, samples]) => ({
          what: `${CLIENTS} clients at once`,
          subject: peer.name,
          unit: "per second",
          samples,
        })),
        goals: [atLeast(`executions, ${CLIENTS} clients at once`, 1_500, "per second", median(found.get(own) ?? []))],
      };
    });
  },
};
