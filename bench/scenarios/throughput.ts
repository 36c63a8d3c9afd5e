import { ipyboxPython } from "../peers/ipybox-python.ts";
import { Ipybox } from "../peers/ipybox.ts";
import { jupyterClient } from "../peers/jupyter-client.ts";
import { jupyterServer } from "../peers/jupyter-server.ts";
import type { Peer } from "../peers/peer.ts";
import { withPeers } from "../rounds.ts";
import { atLeast, type Figure, type Scenario } from "../scenario.ts";
import { median } from "../statistics.ts";

const CLIENTS = 16;
const WHAT = `${CLIENTS} clients at once`;

export const throughput: Scenario = {
  name: "throughput",
  title: "Executions a second",
  about:
    `${CLIENTS} clients of one process, each with a kernel of its own in one and the same container, run \`1+1\` back to back for 3 s. ` +
    "Client, agent and kernels share the machine's cores.",
  limitMs: 240_000,
  async run(bench) {
    const own = new Ipybox(bench);
    const others = [ipyboxPython(bench), jupyterClient(bench), jupyterServer(bench)];
    return withPeers([own, ...others], async () => {
      const measure = (peer: Peer): Promise<number> => peer.perform("throughput", { clients: CLIENTS, seconds: 3 });
      const ours: number[] = [];
      const figures: Figure[] = [];
      // Making 16 kernels takes the others so long that each has one turn; we have one before each of theirs.
      for (const peer of others) {
        ours.push(await measure(own));
        figures.push({ what: WHAT, subject: peer.name, unit: "per second", samples: [await measure(peer)] });
      }
      return {
        figures: [{ what: WHAT, subject: own.name, unit: "per second", samples: ours }, ...figures],
        goals: [atLeast(`executions, ${WHAT}`, 1_500, "per second", median(ours))],
      };
    });
  },
};
