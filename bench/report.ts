import { mkdir, readFile, writeFile } from "node:fs/promises";
import { type Bar, type BarChart, barChart } from "./plots.ts";
import type { Result, Results } from "./results.ts";
import { type Figure, isReached, type Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";
import { median, statistics } from "./statistics.ts";
import { ENOUGH_FOR_P95, figureTable, goalTable } from "./tables.ts";

const PAGE = new URL("../docs/benchmarks.md", import.meta.url);
const IMAGES = new URL("../docs/img/", import.meta.url);
const MARKERS = ["<!-- figures: `npm run bench` writes from here -->", "<!-- figures: to here -->"] as const;

/** The name under which our own figures stand. */
const OWN = "ipybox";

/** Writes the figures into docs/benchmarks.md, between its markers, and the plots beside it. */
export async function writeReport(results: Results): Promise<void> {
  const page = await readFile(PAGE, "utf8");
  const [start = -1, end = -1] = MARKERS.map((marker) => page.indexOf(marker));
  if (start < 0 || end < start) throw new Error("docs/benchmarks.md has lost its markers.");
  const plots = await writePlots(results);
  const text = [MARKERS[0], goals(results), ...plots, ...sections(results), machine(results), ""].join("\n\n");
  await writeFile(PAGE, page.slice(0, start) + text + page.slice(end));
}

function goals({ scenarios }: Results): string {
  const all = SCENARIOS.flatMap(({ name }) => scenarios[name]?.goals ?? []);
  const reached = all.filter(isReached).length;
  const summary = reached === all.length ? "All are reached." : `${reached} of ${all.length} are reached.`;
  return ["## Goals", "", summary, "", ...goalTable(all)].join("\n");
}

function sections(results: Results): readonly string[] {
  return SCENARIOS.flatMap((scenario) => {
    const result = results.scenarios[scenario.name];
    return result === undefined ? [] : [section(scenario, result, newestDay(results))];
  });
}

/** From this share on, what other programs do shows in the figures. */
export const BUSY = 0.1;

function section({ name, title, about }: Scenario, result: Result, newest: string | undefined): string {
  const { figures, notes = [], takenOn, busyBefore } = result;
  const remarks = [...provisional(busyBefore), ...notes];
  const older = takenOn === newest ? "" : ` Taken on ${takenOn}.`;
  return [
    `## ${title}`,
    "",
    `${about}${older} \`npm run bench -- ${name}\``,
    ...(figures.length === 0 ? [] : ["", ...figureTable(figures)]),
    ...(remarks.length === 0 ? [] : ["", ...remarks.map((remark) => `- ${remark}`)]),
  ].join("\n");
}

/** Says so when the figures can't be trusted. */
function provisional(busyBefore: number | null): readonly string[] {
  if (busyBefore === null) return ["**Provisional**: taken on a machine that did other work as well."];
  if (busyBefore < BUSY) return [];
  return [`**Provisional**: other programs had ${Math.round(busyBefore * 100)} % of the processors in use just before.`];
}

function machine(results: Results): string {
  const { processor, cores, memoryGb, kernel, versions } = results.machine;
  return [
    "## Machine and versions",
    "",
    `${processor}, ${cores} cores, ${memoryGb} GB of memory, ${kernel}. Taken on ${newestDay(results)}.`,
    "",
    "| what | version |",
    "| --- | --- |",
    ...Object.entries(versions).map(([name, version]) => `| ${name} | ${version} |`),
  ].join("\n");
}

function newestDay({ scenarios }: Results): string | undefined {
  const days = Object.values(scenarios).map(({ takenOn }) => takenOn);
  return days.sort().at(-1);
}

async function writePlots({ scenarios }: Results): Promise<readonly string[]> {
  await mkdir(IMAGES, { recursive: true });
  const links: string[] = [];
  for (const { file, scenario, what, ...chart } of PLOTS) {
    const figures = scenarios[scenario]?.figures.filter((figure) => figure.what === what) ?? [];
    if (figures.length === 0) continue;
    await writeFile(new URL(file, IMAGES), barChart({ ...chart, bars: figures.map(bar) }));
    links.push(`![${chart.title}](img/${file})`);
  }
  return links;
}

function bar({ subject, samples }: Figure): Bar {
  const whisker = samples.length < ENOUGH_FOR_P95 ? {} : { whisker: statistics(samples).p95 };
  return { label: subject, value: median(samples), own: subject === OWN, ...whisker };
}

const LATENCY = {
  subtitle: "median; the line goes to the 95th percentile; logarithmic, shorter is better",
  unit: "ms",
  scale: "log",
} as const;

/** A plot shows the figures of one scenario that carry the same words. */
const PLOTS: readonly (Omit<BarChart, "bars"> & { readonly file: string; readonly scenario: string; readonly what: string })[] = [
  { file: "warm.svg", scenario: "warm", what: "back to back", title: "1+1 in a kernel that is there, back to back", ...LATENCY },
  { file: "connect.svg", scenario: "connect", what: "connect and `1+1`", title: "A new kernel to its first result", ...LATENCY },
  {
    file: "stream.svg",
    scenario: "stream",
    what: "from print to client",
    title: "A printed line, not flushed, to the client",
    ...LATENCY,
  },
  {
    file: "throughput.svg",
    scenario: "throughput",
    what: "16 clients at once",
    title: "Executions of 1+1, 16 clients at once",
    subtitle: "longer is better",
    unit: "per second",
    scale: "linear",
  },
];
