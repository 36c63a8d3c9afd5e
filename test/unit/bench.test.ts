import { expect, test } from "vitest";
import { number } from "../../bench/numbers.ts";
import { barChart } from "../../bench/plots.ts";
import { atLeast, atMost, isReached } from "../../bench/scenario.ts";
import { slope, statistics } from "../../bench/statistics.ts";
import { figureTable } from "../../bench/tables.ts";
import { verifies } from "../requirements.ts";

test("statistics are those of the sorted samples, interpolated between two", () => {
  verifies("DOC-04");
  expect(statistics([4, 1, 3, 2])).toEqual({
    n: 4,
    min: 1,
    median: 2.5,
    p95: expect.closeTo(3.85),
    p99: expect.closeTo(3.97),
    max: 4,
  });
  expect(statistics([7])).toEqual({ n: 1, min: 7, median: 7, p95: 7, p99: 7, max: 7 });
  expect(() => statistics([])).toThrow(/no samples/);
});

test("the slope is that of the line through the points", () => {
  expect(slope([0, 1, 2, 3].map((x) => ({ x, y: 5 + 2 * x })))).toBeCloseTo(2);
  expect(slope([0, 1, 2].map((x) => ({ x, y: 5 })))).toBe(0);
});

test("a limit that is met exactly is reached, one that has no figure is not", () => {
  verifies("DOC-04");
  expect(isReached(atMost("", 4, "ms", 4))).toBe(true);
  expect(isReached(atMost("", 4, "ms", 4.01))).toBe(false);
  expect(isReached(atLeast("", 30, "×", 30))).toBe(true);
  expect(isReached(atLeast("", 30, "×", 29.9))).toBe(false);
  expect([isReached(atMost("", 1, "ms", NaN)), isReached(atLeast("", 1, "ms", NaN))]).toEqual([false, false]);
});

test("numbers have three digits that count", () => {
  expect([0, 0.47619, 0.9, 9.876, 44.44, 296.2, 1171.4, 100_000_000].map(number)).toEqual([
    "0",
    "0.476",
    "0.900",
    "9.88",
    "44.4",
    "296",
    "1,171",
    "100,000,000",
  ]);
});

test("on a logarithmic scale each power of ten is as long as the next", () => {
  verifies("DOC-04");
  const bars = [1, 10, 100].map((value) => ({ label: `<${value}>`, value, own: value === 1 }));
  const svg = barChart({ title: "a & b", subtitle: "", unit: "ms", scale: "log", bars });
  const widths = [...svg.matchAll(/<rect x="300" [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
  const [first = NaN, second = NaN, third = NaN] = widths;
  expect(widths).toHaveLength(3);
  expect(third - second).toBeCloseTo(second - first, 0);
  expect(first).toBeGreaterThan(50);
  expect(svg).toContain("a &amp; b");
  expect(svg).toContain("&lt;10&gt;");
});

test("a table has no percentile of few samples, and no column that would be empty", () => {
  verifies("DOC-04");
  const few = { what: "w", subject: "a", unit: "ms", samples: [1, 2, 3] } as const;
  expect(figureTable([few])).toEqual([
    "| who | what | median | least | most | samples |",
    "| --- | --- | --: | --: | --: | --: |",
    "| a | w | 2.00 ms | 1.00 | 3.00 | 3 |",
  ]);
  const many = { ...few, samples: Array.from({ length: 100 }, (_, index) => index), lost: 2 };
  expect(figureTable([many])[0]).toBe("| who | what | median | p95 | p99 | least | most | samples | lost |");
  expect(figureTable([{ ...few, samples: [5] }])).toContain("| a | w | 5.00 ms |");
});
