import { samples } from "../bench.ts";
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
    "Pages that only the kernel's process has (`Private_Clean` and `Private_Dirty` of `/proc/PID/smaps_rollup`) after 20 small " +
    "cells: what one more kernel costs. The first kernel of a container of ipybox is told apart: the process that it was forked " +
    "from goes on warming up after that fork, and what changes there is shared no longer.",
  limitMs: 180_000,
  async run(bench) {
    const count = samples(bench, 5, 1);
    const first: number[] = [];
    for (let round = 0; round < count; round += 1) {
      const peer = new Ipybox(bench);
      first.push(await withPeers([peer], () => afterCells(peer)));
    }
    const [own, ...others] = [new Ipybox(bench), ipyboxPython(bench), jupyterClient(bench)] as const;
    return withPeers([own, ...others], async () => {
      const further = await figure(own, "each further kernel", count);
      const goal = atMost("private memory of a further kernel after 20 cells", 4, "MB", median(further.samples));
      const figures = [further, { ...further, what: "the first kernel of a container", samples: first }];
      for (const peer of others) figures.push(await figure(peer, "each kernel", count));
      return { figures, goals: [goal] };
    });
  },
};

async function figure(peer: Peer, what: string, count: number): Promise<Figure> {
  const found: number[] = [];
  for (let round = 0; round < count; round += 1) {
    // So that the kernel that is looked at is not the first one, nor that of the round before.
    await peer.perform("first", { code: "1+1", expect: null, images: 0, count: 1 });
    await peer.perform("renew", {});
    found.push(await afterCells(peer));
  }
  return { what, subject: peer.name, unit: "MB", samples: found };
}

async function afterCells(peer: Peer): Promise<number> {
  const pid = await peer.perform("pid", {});
  for (const code of CELLS) await peer.perform("execute", { code, expect: null, count: 1, pauseMs: 0 });
  return (await privateBytes(peer.containerId, pid)) / 2 ** 20;
}
