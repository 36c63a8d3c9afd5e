import { type Bench, samples } from "../bench.ts";
import { DockerExec } from "../peers/docker-exec.ts";
import { ipyboxPython } from "../peers/ipybox-python.ts";
import { Ipybox } from "../peers/ipybox.ts";
import { jupyterClient } from "../peers/jupyter-client.ts";
import { jupyterServer } from "../peers/jupyter-server.ts";
import { llmSandbox } from "../peers/llm-sandbox.ts";
import type { Peer } from "../peers/peer.ts";
import { inTurns, samplesOf, withPeers } from "../rounds.ts";
import { atLeast, atMost, type Outcome, type Scenario } from "../scenario.ts";
import { median, statistics } from "../statistics.ts";

/** Executions of ipybox in a round. */
const ROUND = 100;

const PARAMETERS = { code: "1+1", expect: "2" };

export const warm: Scenario = {
  name: "warm",
  title: "`1+1` in a kernel that is there",
  about:
    "`execute` of `1+1` until its result has been read, again and again in one kernel: back to back, and with pauses of " +
    "50 ms. All peers take turns in rounds. Before that, ipybox alone in a new process and a new container: as long as V8 " +
    "compiles the code of client and agent beside, everything else waits for a processor now and then. " +
    "`docker exec` starts a new Python each time; it stands for not having a kernel.",
  limitMs: 480_000,
  async run(bench) {
    const [own, ipybox, client, server] = [new Ipybox(bench), ipyboxPython(bench), jupyterClient(bench), jupyterServer(bench)];
    const exec = new DockerExec(bench);
    const llm = llmSandbox(bench);
    return withPeers([own, ipybox, client, server, exec], async () => {
      const notes: string[] = [];
      const optional = await prepared(llm, notes);
      try {
        return await measure(bench, { own, ipybox, client, server, exec, optional }, notes);
      } finally {
        await llm.dispose();
      }
    });
  },
};

interface Peers {
  readonly own: Peer;
  readonly ipybox: Peer;
  readonly client: Peer;
  readonly server: Peer;
  readonly exec: Peer;
  readonly optional: readonly Peer[];
}

async function measure(bench: Bench, peers: Peers, notes: readonly string[]): Promise<Outcome> {
  const { own, ipybox, client, server, exec, optional } = peers;
  const rounds = bench.quick ? 4 : 20;
  const first = await inTurns([{ peer: own, count: ROUND }], rounds, {
    what: "back to back, in a new process",
    operation: "execute",
    parameters: { ...PARAMETERS, pauseMs: 0 },
  });
  const backToBack = await inTurns(
    [
      { peer: own, count: ROUND },
      ...[ipybox, client, server].map((peer) => ({ peer, count: bench.quick ? 20 : 50 })),
      { peer: exec, count: 3 },
      ...optional.map((peer) => ({ peer, count: 1 })),
    ],
    rounds,
    { what: "back to back", operation: "execute", parameters: { ...PARAMETERS, pauseMs: 0 } },
  );
  const paused = await inTurns(
    [own, ipybox, client, server].map((peer) => ({ peer, count: 10 })),
    samples(bench, 20),
    { what: "pauses of 50 ms", operation: "execute", parameters: { ...PARAMETERS, pauseMs: 50 } },
  );
  const ours = statistics(samplesOf(backToBack, own.name));
  const ratio = (peer: Peer): number => median(samplesOf(backToBack, peer.name)) / ours.median;
  return {
    figures: [...backToBack, ...first, ...paused],
    goals: [
      atMost("`1+1` back to back, median", 0.9, "ms", ours.median),
      atMost("`1+1` back to back, 99th percentile", 4, "ms", ours.p99),
      atLeast("`1+1` back to back, faster than ipybox 0.6.7", 30, "×", ratio(ipybox)),
      atLeast("`1+1` back to back, faster than ipykernel without anything between", 8, "×", ratio(client)),
    ],
    notes,
  };
}

/** A peer that can't run everywhere: where it can't, a note says why. */
async function prepared(peer: Peer, notes: string[]): Promise<readonly Peer[]> {
  try {
    await peer.prepare();
    await peer.perform("execute", { ...PARAMETERS, count: 1, pauseMs: 0 });
    return [peer];
  } catch (error) {
    notes.push(
      `${peer.name} is left out, it does not run here: ${error instanceof Error ? lastLine(error.message) : String(error)}`,
    );
    return [];
  }
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
