import { samples } from "../bench.ts";
import { ipyboxPython } from "../peers/ipybox-python.ts";
import { Ipybox } from "../peers/ipybox.ts";
import { jupyterClient } from "../peers/jupyter-client.ts";
import { jupyterServer } from "../peers/jupyter-server.ts";
import { inTurns, samplesOf, withPeers } from "../rounds.ts";
import { atMost, type Scenario } from "../scenario.ts";
import { median } from "../statistics.ts";

export const stream: Scenario = {
  name: "stream",
  title: "From a print to the client",
  about:
    "A cell prints the time in a loop, without a flush, and sleeps 5 ms after each line. The client takes the time when the " +
    "line is there. Both read the same clock, since container and host are one machine.",
  limitMs: 180_000,
  async run(bench) {
    const own = new Ipybox(bench);
    const peers = [own, ipyboxPython(bench), jupyterClient(bench), jupyterServer(bench)];
    return withPeers(peers, async () => {
      const figures = await inTurns(
        peers.map((peer) => ({ peer, count: 50 })),
        samples(bench, 10),
        { what: "from print to client", operation: "delay", parameters: { pauseMs: 5 } },
      );
      return {
        figures,
        goals: [atMost("a printed line to the client, median", 1.5, "ms", median(samplesOf(figures, own.name)))],
      };
    });
  },
};
