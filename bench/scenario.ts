import type { Bench } from "./bench.ts";

/** Something that is measured, with what it is compared with, in a process of its own. */
export interface Scenario {
  /** Its word on the command line. */
  readonly name: string;
  readonly title: string;
  /** How its figures are taken, in Markdown; it stands in the report. */
  readonly about: string;
  /** After this time it is given up. */
  readonly limitMs: number;
  run(bench: Bench): Promise<Outcome>;
}

/** What a scenario has found. */
export interface Outcome {
  readonly figures: readonly Figure[];
  readonly goals: readonly Goal[];
  /** What a reader must know to judge the figures. */
  readonly notes?: readonly string[];
}

export type Unit = "ms" | "s" | "MB" | "MB/s" | "bytes" | "per second" | "characters";

/** Samples of one kind; a single one where something is measured once. */
export interface Figure {
  readonly what: string;
  /** Whose figure it is: the name of a peer. */
  readonly subject: string;
  readonly unit: Unit;
  readonly samples: readonly number[];
  /** Results or lines that never arrived. */
  readonly lost?: number;
}

/** A limit, and what was reached. */
export interface Goal {
  readonly what: string;
  readonly limit: number;
  readonly bound: "at most" | "at least";
  readonly unit: Unit | "×" | "kernels";
  readonly reached: number;
}

export function isReached({ bound, limit, reached }: Goal): boolean {
  return bound === "at most" ? reached <= limit : reached >= limit;
}

export const atMost = (what: string, limit: number, unit: Goal["unit"], reached: number): Goal => ({
  what,
  limit,
  bound: "at most",
  unit,
  reached,
});

export const atLeast = (what: string, limit: number, unit: Goal["unit"], reached: number): Goal => ({
  what,
  limit,
  bound: "at least",
  unit,
  reached,
});
