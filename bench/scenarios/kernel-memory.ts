import { type Bench, samples } from "../bench.ts";
import { privateBytes } from "../docker.ts";
import { ipyboxPython } from "../peers/ipybox-python.ts";
import { Ipybox } from "../peers/ipybox.ts";
import { jupyterClient } from "../peers/jupyter-client.ts";
import type { Peer } from "../peers/peer.ts";
import { withPeers } from "../rounds.ts";
import { atMost, type Figure, type Scenario } from "../scenario.ts";
import { median } from "../statistics.ts";

/** What small cells do: bind names, print, compute, import what everybody imports, define, fail in a `try`. */
const CELLS = [
  "x = 1",
  "print(x)",
  "x + 1",
  "import json, re, math, datetime",
  "values = [n * n for n in range(100)]",
  "sum(values)",
  "text = 'the quick brown fox'",
  "{word: len(word) for word in text.split()}",
  "def area(r):\n    return math.pi * r ** 2",
  "[round(area(r), 2) for r in range(5)]",
  "class Point:\n    def __init__(self, x, y):\n        self.x, self.y = x, y",
  "Point(1, 2).x",
  "json.loads(json.dumps({'a': [1, 2, 3]}))",
  "re.findall(r'\\w+', text)",
  "for i in range(10):\n    print(i)",
  "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    print(error)",
  "sorted(values, reverse=True)[:3]",
  "datetime.date(2020, 1, 1).isoformat()",
  "from collections import Counter\nCounter(text).most_common(2)",
  "f'{x:05d} {math.e:.3f}'",
];

export const kernelMemory: Scenario = {
  name: "kernel-memory",
  title: "Memory of a kernel",
  about:
    "Pages that only the kernel's process has (`Private_Clean` and `Private_Dirty` of `/proc/PID/smaps_rollup`) after 20 small cells: " +
    "what one more kernel costs.",
  limitMs: 180_000,
  async run(bench) {
    const figures: Figure[] = [];
    for (const make of [own, ipyboxPython, jupyterClient]) {
      const found: number[] = [];
      let subject = "";
      for (let round = 0; round < samples(bench, 5, 1); round += 1) {
        const peer = make(bench);
        subject = peer.name;
        found.push(await withPeers([peer], () => afterCells(peer)));
      }
      figures.push({ what: "private memory after 20 cells", subject, unit: "MB", samples: found });
    }
    return {
      figures,
      goals: [atMost("private memory of a kernel after 20 cells", 4, "MB", median(figures[0]?.samples ?? []))],
    };
  },
};

const own = (bench: Bench): Peer => new Ipybox(bench);

async function afterCells(peer: Peer): Promise<number> {
  const pid = await peer.perform("pid", {});
  for (const code of CELLS) await peer.perform("execute", { code, expect: null, count: 1, pauseMs: 0 });
  return (await privateBytes(peer.containerId, pid)) / 2 ** 20;
}
