import { amount, exact, number } from "./numbers.ts";
import { type Figure, type Goal, isReached } from "./scenario.ts";
import { statistics } from "./statistics.ts";

/** Of fewer samples a percentile would be hardly more than the greatest of them. */
export const ENOUGH_FOR_P95 = 20;
const ENOUGH_FOR_P99 = 100;

/** A line a goal, as the terminal shows it. */
export function goalLines(goals: readonly Goal[]): readonly string[] {
  return goals.map(
    (goal) => `  ${isReached(goal) ? "reached" : "MISSED "}  ${goal.what}: ${reached(goal)} (goal ${limit(goal)})`,
  );
}

/** A line a figure, as the terminal shows it. */
export function figureLines(figures: readonly Figure[]): readonly string[] {
  return figures.map((figure) => {
    const [who = "", what = "", median = "", ...rest] = cells(figure);
    const titles = COLUMNS.slice(3);
    const spread = rest.map((cell, index) => (cell === "" ? "" : `  ${titles[index] ?? ""} ${cell}`)).join("");
    return `  ${who}, ${what}: ${median}${spread}`;
  });
}

/** Goals as a Markdown table. */
export function goalTable(goals: readonly Goal[]): readonly string[] {
  const rows = goals.map((goal) => [goal.what, limit(goal), reached(goal), isReached(goal) ? "reached" : "**missed**"]);
  return [["what", "goal", "measured", ""], ["---", "---", "---", "---"], ...rows].map(line);
}

/** Figures as a Markdown table; columns that would be empty are left out. */
export function figureTable(figures: readonly Figure[]): readonly string[] {
  const rows = figures.map(cells);
  const once = figures.every(({ samples }) => samples.length === 1);
  const titles = COLUMNS.map((title) => (once && title === "median" ? "measured" : title));
  const shown = titles.map((_, index) => index).filter((index) => rows.some((row) => row[index] !== ""));
  const rule = titles.map((_, index) => (index < 2 ? "---" : "--:"));
  return [titles, rule, ...rows].map((row) => line(shown.map((index) => row[index] ?? "")));
}

const COLUMNS = ["who", "what", "median", "p95", "p99", "least", "most", "samples", "lost"] as const;

function cells({ what, subject, unit, samples, lost = 0 }: Figure): readonly string[] {
  const { n, min, median, p95, p99, max } = statistics(samples);
  return [
    subject,
    what,
    unit === "characters" ? `${exact(median)} ${unit}` : amount(median, unit),
    n >= ENOUGH_FOR_P95 ? number(p95) : "",
    n >= ENOUGH_FOR_P99 ? number(p99) : "",
    ...(n > 1 ? [number(min), number(max), exact(n)] : ["", "", ""]),
    lost > 0 ? exact(lost) : "",
  ];
}

function limit({ bound, limit, unit }: Goal): string {
  return `${bound === "at most" ? "≤" : "≥"} ${exact(limit)} ${unit}`;
}

function reached({ reached, unit }: Goal): string {
  return amount(reached, unit);
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}
