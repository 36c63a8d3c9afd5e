import { ExecutionClient } from "ipybox";
import { type Bench, createContainer } from "../bench.ts";
import { ipyboxPython } from "../peers/ipybox-python.ts";
import { jupyterClient } from "../peers/jupyter-client.ts";
import { jupyterServer } from "../peers/jupyter-server.ts";
import { withPeers } from "../rounds.ts";
import { atLeast, type Figure, type Scenario } from "../scenario.ts";
import { median } from "../statistics.ts";

const BYTES = 100_000_000;

/** Cells that print 100 MB, and what must arrive of each character of it. */
const PRINTS = [
  { what: "100 MB in one print", code: `print("x" * ${BYTES - 1})`, lineLength: BYTES },
  { what: "100 MB in lines of 1,000", code: `for _ in range(${BYTES / 1000}):\n    print("x" * 999)`, lineLength: 1000 },
] as const;

const LINES = 1_000_000;

export const bulk: Scenario = {
  name: "bulk",
  title: "Large outputs",
  about:
    "A cell prints 100 MB, at once or in lines; the client reads them by `stream()` and checks every character. " +
    "Then a million lines, each flushed by the cell, and a display of 100 MB of bytes. For the peers only what arrives is " +
    "counted; a minute is the limit.",
  limitMs: 600_000,
  async run(bench) {
    const rates = PRINTS.map(({ what }): Figure & { samples: number[] } => ({
      what,
      subject: "ipybox",
      unit: "MB/s",
      samples: [],
    }));
    const lines: number[] = [];
    const displays: number[] = [];
    await using container = await createContainer(bench);
    for (let round = 0; round < (bench.quick ? 1 : 5); round += 1) {
      for (const [index, print] of PRINTS.entries()) rates[index]?.samples.push(await printRate(container.port, print));
      if (round < 3) {
        lines.push(await flushedLines(container.port));
        displays.push(await largeDisplay(container.port));
      }
    }
    return {
      figures: [
        ...rates,
        { what: "1,000,000 lines, each flushed", subject: "ipybox", unit: "s", samples: lines },
        { what: "a display of 100 MB", subject: "ipybox", unit: "s", samples: displays },
        ...(await peerPrints(bench)),
      ],
      goals: rates.map(({ what, samples }) => atLeast(`${what}, exact`, 100, "MB/s", median(samples))),
    };
  },
};

async function printRate(port: number, { code, lineLength }: (typeof PRINTS)[number]): Promise<number> {
  await using client = await ExecutionClient.connect({ port });
  const startedAt = performance.now();
  const chunks: string[] = [];
  for await (const chunk of client.submit(code).stream()) chunks.push(chunk);
  const seconds = (performance.now() - startedAt) / 1000;
  const line = `${"x".repeat(lineLength - 1)}\n`;
  if (chunks.join("") !== line.repeat(BYTES / lineLength)) throw new Error("The text is not what was printed.");
  return BYTES / 1e6 / seconds;
}

async function flushedLines(port: number): Promise<number> {
  await using client = await ExecutionClient.connect({ port });
  const startedAt = performance.now();
  const chunks: string[] = [];
  for await (const chunk of client.submit(`for i in range(${LINES}):\n    print(i, flush=True)`).stream()) chunks.push(chunk);
  const seconds = (performance.now() - startedAt) / 1000;
  const lines = chunks.join("").split("\n");
  if (lines.length !== LINES + 1 || lines.some((line, index) => line !== (index < LINES ? String(index) : ""))) {
    throw new Error("The lines are not what was printed.");
  }
  return seconds;
}

async function largeDisplay(port: number): Promise<number> {
  await using client = await ExecutionClient.connect({ port });
  const code = `
from IPython.display import display
data = bytes(range(256)) * ${BYTES / 256}
display({"application/octet-stream": data}, raw=True)`;
  const startedAt = performance.now();
  const { outputs } = await client.execute(code, { maxOutputBytes: 2 * BYTES });
  const seconds = (performance.now() - startedAt) / 1000;
  const [output] = outputs;
  const bytes = output?.kind === "display" ? output.data["application/octet-stream"] : undefined;
  const expected = Buffer.alloc(
    BYTES,
    Uint8Array.from({ length: 256 }, (_, index) => index),
  );
  if (!(bytes instanceof Uint8Array) || !expected.equals(bytes)) throw new Error("The bytes are not what was displayed.");
  return seconds;
}

async function peerPrints(bench: Bench): Promise<readonly Figure[]> {
  const peers = [ipyboxPython(bench), jupyterClient(bench), jupyterServer(bench)];
  return withPeers(peers, async () => {
    const figures: Figure[] = [];
    for (const peer of peers) {
      for (const { what, code } of PRINTS) {
        const { received, seconds, failure } = await peer.perform("print", { code, limitMs: bench.quick ? 10_000 : 60_000 });
        const lost = BYTES - received;
        const exact = lost === 0 && failure === null;
        const ended = failure === null ? "" : `; ${failure}`;
        figures.push(
          exact
            ? { what, subject: peer.name, unit: "MB/s", samples: [BYTES / 1e6 / seconds] }
            : { what: `${what}: what arrived${ended}`, subject: peer.name, unit: "characters", samples: [received] },
        );
      }
    }
    return figures;
  });
}
