import { Ipybox } from "../peers/ipybox.ts";
import { jupyterClient } from "../peers/jupyter-client.ts";
import { inTurns, samplesOf, withPeers } from "../rounds.ts";
import { atLeast, type Scenario } from "../scenario.ts";
import { median } from "../statistics.ts";

const CODE = "import numpy, pandas\nimport matplotlib.pyplot as plt\nplt.plot([1, 4, 9, 16])\nplt.show()";

export const plot: Scenario = {
  name: "plot",
  title: "A new kernel to its first plot",
  about:
    "An image with numpy, pandas and matplotlib preloaded. From `connect` until the picture of a first `plt.plot` is " +
    "there, against a new ipykernel in a container that has the same versions installed.",
  limitMs: 240_000,
  async run(bench) {
    const own = new Ipybox({ ...bench, image: bench.preloadedImage });
    const client = jupyterClient(bench);
    return withPeers([own, client], async () => {
      const figures = await inTurns(
        [
          { peer: own, count: 5 },
          { peer: client, count: 2 },
        ],
        bench.quick ? 2 : 10,
        { what: "connect, import and plot", operation: "first", parameters: { code: CODE, expect: null, images: 1 } },
      );
      const ratio = median(samplesOf(figures, client.name)) / median(samplesOf(figures, own.name));
      return { figures, goals: [atLeast("first plot in a new kernel, faster than ipykernel", 3, "×", ratio)] };
    });
  },
};
