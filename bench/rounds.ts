import { Ipybox } from "./peers/ipybox.ts";
import type { Operation, Operations, Peer, Samples } from "./peers/peer.ts";
import type { Figure } from "./scenario.ts";

/** Operations that give samples. */
type Sampled = { [Name in Operation]: Operations[Name]["outcome"] extends Samples ? Name : never }[Operation];

/** A peer, and how many samples it gives in each round. */
export interface Turn {
  readonly peer: Peer;
  readonly count: number;
}

/**
 * Measures peers in turns: first all of them a little, then the next round. Whatever else the machine does hits all
 * alike. One round before the first does not count.
 */
export async function inTurns<Name extends Sampled>(
  turns: readonly Turn[],
  rounds: number,
  { what, operation, parameters }: { what: string; operation: Name; parameters: Omit<Operations[Name]["parameters"], "count"> },
): Promise<readonly Figure[]> {
  const taken = new Map(turns.map(({ peer }) => [peer, { ms: [] as number[], lost: 0 }]));
  for (let round = -1; round < rounds; round += 1) {
    for (const { peer, count } of turns) {
      const { ms, lost }: Samples = await peer.perform(operation, { ...parameters, count } as Operations[Name]["parameters"]);
      // What others lose is told; a figure of ours with a result missing is none.
      if (lost > 0 && peer instanceof Ipybox) throw new Error(`${lost} of ${count} results of ${peer.name} have not arrived.`);
      const all = taken.get(peer);
      if (round < 0 || all === undefined) continue;
      all.ms.push(...ms);
      all.lost += lost;
    }
  }
  return turns.map(({ peer }) => {
    const { ms, lost } = taken.get(peer) ?? { ms: [], lost: 0 };
    return { what, subject: peer.name, unit: "ms", samples: ms, lost };
  });
}

/** Prepares peers, lets `use` measure them, and disposes of all of them whatever happens. */
export async function withPeers<T>(peers: readonly Peer[], use: () => Promise<T>): Promise<T> {
  try {
    for (const peer of peers) await peer.prepare();
    return await use();
  } finally {
    await Promise.allSettled(peers.map((peer) => peer.dispose()));
  }
}

/** Samples of one subject among figures. */
export function samplesOf(figures: readonly Figure[], subject: string): readonly number[] {
  const figure = figures.find((figure) => figure.subject === subject);
  if (figure === undefined) throw new Error(`There is no figure of ${subject}.`);
  return figure.samples;
}
