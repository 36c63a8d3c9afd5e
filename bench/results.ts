import { readFile, writeFile } from "node:fs/promises";
import type { Machine } from "./machine.ts";
import type { Outcome } from "./scenario.ts";

const FILE = new URL("results.json", import.meta.url);

/** What was found on one machine, with one set of versions. */
export interface Results {
  readonly machine: Machine;
  /** By the scenario's name. */
  readonly scenarios: Readonly<Record<string, Result>>;
}

/** A scenario's outcome, and the circumstances in which it was found. */
export interface Result extends Outcome {
  /** Day, ISO 8601. */
  readonly takenOn: string;
  /** How much of the processors other programs had in use just before, from 0 to 1; null when that is not known. */
  readonly busyBefore: number | null;
}

/** Adds to what earlier runs have found; that only holds while machine and versions are the same. */
export async function addResults(results: Results): Promise<Results> {
  const text = await readFile(FILE, "utf8").catch(() => undefined);
  const before = text === undefined ? undefined : (JSON.parse(text) as Results);
  const same = JSON.stringify(before?.machine) === JSON.stringify(results.machine);
  return { ...results, scenarios: { ...(same ? before?.scenarios : {}), ...results.scenarios } };
}

/** Writes all figures with all their samples, one figure a line. */
export async function writeResults({ machine, scenarios }: Results): Promise<void> {
  const parts = Object.entries(scenarios).map(([name, { takenOn, busyBefore, goals, notes = [], figures }]) =>
    [
      `    ${json(name)}: {`,
      `      "takenOn": ${json(takenOn)},`,
      `      "busyBefore": ${json(busyBefore)},`,
      `      "goals": [${list(goals)}],`,
      `      "notes": [${list(notes)}],`,
      `      "figures": [${list(figures)}]`,
      "    }",
    ].join("\n"),
  );
  await writeFile(FILE, `{\n  "machine": ${json(machine)},\n  "scenarios": {\n${parts.join(",\n")}\n  }\n}\n`);
}

function list(values: readonly unknown[]): string {
  return values.length === 0 ? "" : `\n        ${values.map(json).join(",\n        ")}\n      `;
}

/** Numbers to a thousandth. */
function json(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === "number" ? Math.round(part * 1000) / 1000 : part));
}
