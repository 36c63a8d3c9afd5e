import { mkdir, readFile, writeFile } from "node:fs/promises";
import type { Machine } from "./machine.ts";
import { amount, number } from "./numbers.ts";
import { type Bar, type BarChart, barChart } from "./plots.ts";
import type { Result, Results } from "./results.ts";
import { type Figure, type Goal, isReached, type Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";
import { median, statistics } from "./statistics.ts";

const PAGE = new URL("../docs/benchmarks.md", import.meta.url);
const IMAGES = new URL("../docs/img/", import.meta.url);
const MARKERS = ["<!-- figures: `npm run bench` writes from here -->", "<!-- figures: to here -->"] as const;

/** The name under which our own figures stand. */
export const OWN = "ipybox";

/** Writes the figures into docs/benchmarks.md, between its markers, and the plots beside it. */
export async function writeReport(results: Results): Promise<void> {
  const page = await readFile(PAGE, "utf8");
  const [start, end] = MARKERS.map((marker) => page.indexOf(marker));
  if (start === undefined || end === undefined || start < 0 || end < start)
    throw new Error("docs/benchmarks.md has lost its markers.");
  const plots = await writePlots(results);
  const text = [MARKERS[0], goalTable(results), ...plots, ...sections(results), machineTable(results.machine), ""].join("\n\n");
  await writeFile(PAGE, page.slice(0, start) + text + page.slice(end));
}

/** A line a goal, as the terminal shows it. */
export function goalLines(goals: readonly Goal[]): readonly string[] {
  return goals.map(
    (goal) => `  ${isReached(goal) ? "reached" : "MISSED "}  ${goal.what}: ${reached(goal)} (goal ${limit(goal)})`,
  );
}

/** A line a figure, as the terminal shows it. */
export function figureLines(figures: readonly Figure[]): readonly string[] {
  return figures.map((figure) => {
    const { n, median, p95, p99 } = statistics(figure.samples);
    const spread = n === 1 ? "" : `  p95 ${number(p95)}  p99 ${number(p99)}  n ${n}`;
    const lost = figure.lost === undefined || figure.lost === 0 ? "" : `  lost ${figure.lost}`;
    return `  ${figure.subject}, ${figure.what}: ${amount(median, figure.unit)}${spread}${lost}`;
  });
}

function limit({ bound, limit, unit }: Goal): string {
  return `${bound === "at most" ? "≤" : "≥"} ${amount(limit, unit)}`;
}

function reached({ reached, unit }: Goal): string {
  return amount(reached, unit);
}

function goalTable({ scenarios }: Results): string {
  const goals = SCENARIOS.flatMap(({ name }) => scenarios[name]?.goals ?? []);
  const missed = goals.filter((goal) => !isReached(goal)).length;
  return [
    "## Goals",
    "",
    missed === 0 ? "All are reached." : `${goals.length - missed} of ${goals.length} are reached.`,
    "",
    "| what | goal | measured | |",
    "|---|---|---|---|",
    ...goals.map(
      (goal) => `| ${goal.what} | ${limit(goal)} | ${reached(goal)} | ${isReached(goal) ? "reached" : "**missed**"} |`,
    ),
  ].join("\n");
}

function sections({ scenarios }: Results): readonly string[] {
  const newest = Object.values(scenarios)
    .map(({ takenOn }) => takenOn)
    .sort()
    .at(-1);
  return SCENARIOS.flatMap((scenario) => {
    const result = scenarios[scenario.name];
    return result === undefined ? [] : [section(scenario, result, newest)];
  });
}

function section({ name, title, about }: Scenario, { figures, notes = [], takenOn }: Result, newest: string | undefined): string {
  const older = takenOn === newest ? "" : ` Taken on ${takenOn}.`;
  return [
    `## ${title}`,
    "",
    `${about}${older} \`npm run bench -- ${name}\``,
    ...(figures.length === 0 ? [] : ["", ...figureTable(figures)]),
    ...(notes.length === 0 ? [] : ["", ...notes.map((note) => `- ${note}`)]),
  ].join("\n");
}

/** Columns that would be empty are left out. */
function figureTable(figures: readonly Figure[]): readonly string[] {
  const several = figures.some(({ samples }) => samples.length > 1);
  const losses = figures.some(({ lost = 0 }) => lost > 0);
  const header = [
    "",
    "",
    ...(several ? ["median", "p95", "p99", "least", "samples"] : ["measured"]),
    ...(losses ? ["lost"] : []),
  ];
  const rows = figures.map(({ what, subject, unit, samples, lost }) => {
    const { n, min, median, p95, p99 } = statistics(samples);
    const spread = n === 1 ? ["", "", ""] : [p95, p99, min].map(number);
    const cells = several ? [amount(median, unit), ...spread, number(n)] : [amount(median, unit)];
    return [subject, what, ...cells, ...(losses ? [lost === undefined || lost === 0 ? "" : number(lost)] : [])];
  });
  return [header, header.map((_, index) => (index < 2 ? "---" : "--:")), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
}

function machineTable({ processor, cores, memoryGb, kernel, versions }: Machine): string {
  return [
    "## Machine and versions",
    "",
    `${processor}, ${cores} cores, ${memoryGb} GB of memory, ${kernel}.`,
    "",
    "| | |",
    "|---|---|",
    ...Object.entries(versions).map(([name, version]) => `| ${name} | ${version} |`),
  ].join("\n");
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
  const whisker = samples.length === 1 ? {} : { whisker: statistics(samples).p95 };
  return { label: subject, value: median(samples), own: subject === OWN, ...whisker };
}

const LATENCY = {
  subtitle: "median, the line goes to the 95th percentile; logarithmic, shorter is better",
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
    title: "From print, without a flush, to the client",
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
