// Measures ipybox and its peers: `npm run bench -- [--quick] [--image TAG] [--clean] [SCENARIO…]`.
import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Bench } from "./bench.ts";
import { ownerLabel } from "./bench.ts";
import { containersWith, LABEL, removeContainers } from "./docker.ts";
import { busyShare, describeMachine } from "./machine.ts";
import { prepare, removeImages } from "./preparation.ts";
import { BUSY, writeReport } from "./report.ts";
import { addResults, type Result, writeResults } from "./results.ts";
import { isReached, type Scenario } from "./scenario.ts";
import type { Answer } from "./scenario-process.ts";
import { SCENARIOS } from "./scenarios.ts";
import { figureLines, goalLines } from "./tables.ts";

const { values: flags, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    image: { type: "string", default: "gradion-ai/ipybox" },
    clean: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const HELP = `npm run bench -- [options] [scenario…]

  --quick      a tenth of the samples; nothing is written
  --image TAG  ipybox's image (default gradion-ai/ipybox)
  --clean      remove the peers' images at the end; they are kept for the next run otherwise

Scenarios (default: all)
${SCENARIOS.map(({ name, title }) => `  ${name.padEnd(13)}${title}`).join("\n")}
`;

const bench: Bench = {
  run: randomUUID(),
  image: flags.image,
  peersImage: "ipybox-bench/peers",
  preloadedImage: "ipybox-bench/preloaded",
  packages: fileURLToPath(new URL("../node_modules/.cache/ipybox/bench", import.meta.url)),
  quick: flags.quick,
};

/** The first signal ends what runs, so that it can be cleared away; nothing is written then. */
const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => interruption.abort());

if (flags.help) process.stdout.write(HELP);
else process.exitCode = await main(chosen());

/** Runs scenarios one after the other. A goal that is missed is no failure, a scenario that can't be run is one. */
async function main(scenarios: readonly Scenario[]): Promise<number> {
  const startedAt = performance.now();
  await prepare(bench, (text) => log(`preparing: ${text}`));
  const machine = await describeMachine(bench);
  const found: Record<string, Result> = {};
  for (const scenario of scenarios) {
    if (interruption.signal.aborted) return 130;
    log(`\n${scenario.name}: ${scenario.title}`);
    const busyBefore = await busyShare();
    if (busyBefore >= BUSY) log(`  (other programs have ${Math.round(busyBefore * 100)} % of the processors in use)`);
    const scenarioStartedAt = performance.now();
    const answer = await runScenario(scenario);
    if (answer.kind === "outcome") {
      const { figures, goals, notes = [] } = answer.outcome;
      for (const line of [...figureLines(figures), ...goalLines(goals), ...notes.map((note) => `  note: ${note}`)]) log(line);
      found[scenario.name] = { takenOn: new Date().toISOString().slice(0, 10), busyBefore, ...answer.outcome };
    } else {
      log(`  FAILED: ${answer.reason}`);
    }
    log(`  (${seconds(scenarioStartedAt)} s)`);
  }
  if (interruption.signal.aborted) return 130;
  if (!bench.quick) {
    const results = await addResults({ machine, scenarios: found });
    await writeResults(results);
    await writeReport(results);
    log("\nWritten: docs/benchmarks.md, docs/img/, bench/results.json");
  }
  if (flags.clean) await removeImages(bench);
  const goals = Object.values(found).flatMap((result) => result.goals);
  const failed = scenarios.length - Object.keys(found).length;
  log(
    `\n${goals.filter(isReached).length} of ${goals.length} goals reached, ${failed} scenarios failed (${seconds(startedAt)} s)`,
  );
  return failed === 0 ? 0 : 1;
}

/** Runs a scenario in a process of its own and removes every container that it may have left. */
async function runScenario({ name, limitMs }: Scenario): Promise<Answer> {
  const child = fork(fileURLToPath(new URL("scenario-process.ts", import.meta.url)), {
    execArgv: ["--import", import.meta.resolve("tsx"), "--expose-gc"],
  });
  const kill = (): void => void child.kill("SIGKILL");
  interruption.signal.addEventListener("abort", kill);
  try {
    return await new Promise<Answer>((resolve) => {
      const failed = (reason: string): void => resolve({ kind: "failure", reason });
      const deadline = setTimeout(() => {
        failed(`It was not done after ${limitMs / 1000} s.`);
        kill();
      }, limitMs);
      child.once("message", (message: Answer) => resolve(message));
      child.once("error", (error) => failed(String(error)));
      child.once("exit", (status, signal) => {
        clearTimeout(deadline);
        failed(`Its process ended with ${signal ?? `status ${status}`}.`);
      });
      child.send({ name, bench });
    });
  } finally {
    interruption.signal.removeEventListener("abort", kill);
    await removeLeftovers(child.pid);
    // A command of a process that was killed may have been about to start another one.
    if (child.signalCode !== null) await delay(2_000).then(() => removeLeftovers(child.pid));
  }
}

async function removeLeftovers(pid: number | undefined): Promise<void> {
  for (const label of [ownerLabel(pid), `${LABEL}=${bench.run}`]) await removeContainers(await containersWith(label));
}

function chosen(): readonly Scenario[] {
  const unknown = names.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown.length > 0) {
    process.stderr.write(`There is no scenario ${unknown.join(", ")}.\n\n${HELP}`);
    process.exit(2);
  }
  return names.length === 0 ? SCENARIOS : SCENARIOS.filter(({ name }) => names.includes(name));
}

function seconds(startedAt: number): string {
  return ((performance.now() - startedAt) / 1000).toFixed(0);
}

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}
