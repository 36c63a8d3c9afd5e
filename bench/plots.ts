import type { Unit } from "./scenario.ts";
import { amount } from "./numbers.ts";

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** A thin line from the bar to here, for instance the 95th percentile. */
  readonly whisker?: number;
  /** Ours is drawn in the colour that stands out. */
  readonly own: boolean;
}

export interface BarChart {
  readonly title: string;
  /** What bars and whiskers are, and which end is the good one. */
  readonly subtitle: string;
  readonly unit: Unit;
  readonly scale: "linear" | "log";
  readonly bars: readonly Bar[];
}

const WIDTH = 860;
const LABELS = 300;
const VALUES = 150;
const TOP = 64;
const ROW = 34;
const BOTTOM = 34;

/** Horizontal bars as an SVG file that reads on light and dark pages. */
export function barChart({ title, subtitle, unit, scale, bars }: BarChart): string {
  const height = TOP + bars.length * ROW + BOTTOM;
  const values = bars.flatMap(({ value, whisker }) => [value, whisker ?? value]);
  const axis = scale === "log" ? logAxis(values) : linearAxis(values);
  const x = (value: number): number => LABELS + axis.position(value) * (WIDTH - LABELS - VALUES);
  const ticks = axis.ticks.map((tick) => {
    const at = x(tick).toFixed(1);
    return (
      `<line x1="${at}" y1="${TOP - 8}" x2="${at}" y2="${height - BOTTOM}" class="grid"/>` +
      `<text x="${at}" y="${height - BOTTOM + 18}" class="tick" text-anchor="middle">${tick.toLocaleString("en-US")}</text>`
    );
  });
  const rows = bars.map(({ label, value, whisker, own }, index) => {
    const y = TOP + index * ROW;
    const end = x(value);
    const last = Math.max(end, whisker === undefined ? 0 : x(whisker));
    const line =
      whisker === undefined
        ? ""
        : `<path d="M${end.toFixed(1)} ${y + 11}H${x(whisker).toFixed(1)}M${x(whisker).toFixed(1)} ${y + 5}v12" class="whisker"/>`;
    return (
      `<text x="${LABELS - 10}" y="${y + 16}" class="label${own ? " own" : ""}" text-anchor="end">${escape(label)}</text>` +
      `<rect x="${LABELS}" y="${y}" width="${Math.max(end - LABELS, 1).toFixed(1)}" height="22" rx="2" class="${own ? "bar own" : "bar"}"/>` +
      `${line}<text x="${(last + 8).toFixed(1)}" y="${y + 16}" class="value${own ? " own" : ""}">${amount(value, unit)}</text>`
    );
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${escape(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect width="${WIDTH}" height="${height}" rx="6" class="page"/>`,
    `<text x="18" y="26" class="title">${escape(title)}</text>`,
    `<text x="18" y="44" class="tick">${escape(subtitle)}</text>`,
    ...ticks,
    ...rows,
    "</svg>",
    "",
  ].join("\n");
}

const STYLE = [
  "text{font:13px system-ui,sans-serif;fill:#333}",
  ".page{fill:#fff;stroke:#ddd}",
  ".title{font-size:15px;font-weight:600}",
  ".tick{font-size:11px;fill:#777}",
  ".grid{stroke:#e6e6e6}",
  ".bar{fill:#a9b4c2}",
  ".bar.own{fill:#0b7a75}",
  ".whisker{stroke:#555;fill:none}",
  "text.own{font-weight:600;fill:#0b7a75}",
].join("");

interface Axis {
  readonly ticks: readonly number[];
  /** From 0, where the bars start, to 1. */
  position(value: number): number;
}

/** Powers of ten, from the one below the least value. */
function logAxis(values: readonly number[]): Axis {
  const from = Math.floor(Math.log10(Math.min(...values)) - 1e-9);
  const to = Math.log10(Math.max(...values));
  const ticks: number[] = [];
  for (let power = from; power <= to; power += 1) ticks.push(10 ** power);
  return { ticks, position: (value) => (Math.log10(value) - from) / (to - from) };
}

function linearAxis(values: readonly number[]): Axis {
  const to = Math.max(...values);
  const step = niceStep(to / 5);
  const ticks: number[] = [];
  for (let tick = 0; tick <= to; tick += step) ticks.push(tick);
  return { ticks, position: (value) => value / to };
}

/** The least of 1, 2, 5, 10, 20 … that is not below. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10) * power;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
