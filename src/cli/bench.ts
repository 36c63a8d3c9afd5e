import { Command } from "commander";
import { ExecutionClient } from "../client.ts";
import type { ExecutionContainer } from "../container.ts";
import { addContainerFlags, type ContainerFlags, containerOptions } from "./container-flags.ts";
import { type Interrupts, interruptible } from "./interrupt.ts";
import { withKernel } from "./kernel-session.ts";
import { log, table, write } from "./print.ts";

interface BenchFlags extends ContainerFlags {
  readonly json?: boolean;
}

/** Something that was measured. */
interface Measured {
  readonly what: string;
  readonly unit: "ms" | "MB/s";
  readonly median: number;
  /** 19 of 20 were no worse. */
  readonly p95: number;
  readonly samples: number;
}

const KERNELS = 20;
const WARM_UP_CELLS = 20;
const CELLS = 200;
const STREAMS = 5;
const STREAM_MB = 20;
const LINE = "x".repeat(99);

/** `ipybox bench` */
export function benchCommand(): Command {
  const command = new Command("bench").description("Measure how fast containers, kernels, cells and output are here");
  return addContainerFlags(command)
    .option("--json", "print the figures as JSON")
    .action((flags: BenchFlags) => interruptible((interrupts) => bench(flags, interrupts)));
}

async function bench(flags: BenchFlags, { signal }: Interrupts): Promise<void> {
  const options = await containerOptions(flags);
  if (flags.json !== true) log("Measuring …");
  const startedAt = performance.now();
  const figures = await withKernel(options, signal, async ({ client, container }) => [
    summary("start a container, with its first kernel", "ms", [performance.now() - startedAt]),
    summary("connect: a new kernel", "ms", await timeKernels(container, signal)),
    summary("execute: 1 + 1", "ms", await timeCells(client, signal)),
    summary(`stream: ${STREAM_MB} MB of lines`, "MB/s", await streamRates(client, signal)),
  ]);
  await write(process.stdout, `${flags.json === true ? JSON.stringify(figures, undefined, 2) : asTable(figures)}\n`, signal);
}

async function timeKernels({ host, port, token }: ExecutionContainer, signal: AbortSignal): Promise<number[]> {
  return repeat(KERNELS, async () => {
    const before = performance.now();
    const client = await ExecutionClient.connect({ host, port, token, signal });
    const ms = performance.now() - before;
    await client.disconnect();
    return ms;
  });
}

async function timeCells(client: ExecutionClient, signal: AbortSignal): Promise<number[]> {
  const timeOne = async (): Promise<number> => {
    const before = performance.now();
    await client.execute("1 + 1", { signal });
    return performance.now() - before;
  };
  await repeat(WARM_UP_CELLS, timeOne);
  return repeat(CELLS, timeOne);
}

async function streamRates(client: ExecutionClient, signal: AbortSignal): Promise<number[]> {
  const code = `for _ in range(${STREAM_MB * 10}): print(${JSON.stringify(`${LINE}\n`)} * 999 + ${JSON.stringify(LINE)})`;
  return repeat(STREAMS, async () => {
    const before = performance.now();
    let characters = 0;
    for await (const chunk of client.submit(code, { maxOutputBytes: 0, signal }).stream()) characters += chunk.length;
    return characters / 1000 / (performance.now() - before);
  });
}

async function repeat(times: number, measure: () => Promise<number>): Promise<number[]> {
  const samples: number[] = [];
  for (let count = 0; count < times; count += 1) samples.push(await measure());
  return samples;
}

function summary(what: string, unit: Measured["unit"], samples: readonly number[]): Measured {
  // Of rates the low ones are the bad ones.
  const sorted = samples.toSorted((a, b) => (unit === "ms" ? a - b : b - a));
  const at = (share: number): number => round(sorted[Math.ceil(sorted.length * share) - 1] ?? 0);
  return { what, unit, median: at(0.5), p95: at(0.95), samples: samples.length };
}

/** Three digits are what can be trusted. */
function round(value: number): number {
  return Number(value.toPrecision(3));
}

function asTable(figures: readonly Measured[]): string {
  const rows = figures.map(({ what, unit, median, p95, samples }) => [
    what,
    `${median} ${unit}`,
    `${p95} ${unit}`,
    String(samples),
  ]);
  return table(["WHAT", "MEDIAN", "P95", "SAMPLES"], rows);
}
