import { DockerExec } from "../peers/docker-exec.ts";
import { ipyboxPython } from "../peers/ipybox-python.ts";
import { Ipybox } from "../peers/ipybox.ts";
import { jupyterClient } from "../peers/jupyter-client.ts";
import { jupyterServer } from "../peers/jupyter-server.ts";
import { inTurns, samplesOf, withPeers } from "../rounds.ts";
import { atLeast, atMost, type Scenario } from "../scenario.ts";
import { median, statistics } from "../statistics.ts";

export const connect: Scenario = {
  name: "connect",
  title: "A new kernel to its first result",
  about:
    "The container (or gateway, or server) runs already. From `connect` until the result of `1+1` has been read, " +
    "then the kernel is removed, which does not count. For `docker exec` it is the same as above.",
  limitMs: 480_000,
  async run(bench) {
    const [own, ipybox, client] = [new Ipybox(bench), ipyboxPython(bench), jupyterClient(bench)];
    const others = [client, jupyterServer(bench), new DockerExec(bench)];
    return withPeers([own, ipybox, ...others], async () => {
      const figures = await inTurns(
        [{ peer: own, count: 10 }, ...[ipybox, ...others].map((peer) => ({ peer, count: 2 }))],
        bench.quick ? 3 : 30,
        { what: "connect and `1+1`", operation: "first", parameters: { code: "1+1", expect: "2", images: 0 } },
      );
      const ours = statistics(samplesOf(figures, own.name));
      return {
        figures,
        goals: [
          atMost("new kernel to first result, median", 12, "ms", ours.median),
          atMost("new kernel to first result, 99th percentile", 40, "ms", ours.p99),
          atLeast(
            "new kernel to first result, faster than ipybox 0.6.7",
            40,
            "×",
            median(samplesOf(figures, ipybox.name)) / ours.median,
          ),
        ],
      };
    });
  },
};
