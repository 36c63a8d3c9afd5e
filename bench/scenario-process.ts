// Runs one scenario, for main.ts: memory and garbage of one can't be found in the next, nor can its failure end all.
import type { Bench } from "./bench.ts";
import type { Outcome } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

/** What the process answers. */
export type Answer =
  { readonly kind: "outcome"; readonly outcome: Outcome } | { readonly kind: "failure"; readonly reason: string };

process.once("message", (message: { readonly name: string; readonly bench: Bench }) => {
  void answer(message.name, message.bench).then((answer) => process.send?.(answer, () => process.exit()));
});

async function answer(name: string, bench: Bench): Promise<Answer> {
  try {
    const scenario = SCENARIOS.find((scenario) => scenario.name === name);
    if (scenario === undefined) throw new Error(`There is no scenario ${name}.`);
    return { kind: "outcome", outcome: await scenario.run(bench) };
  } catch (error) {
    return { kind: "failure", reason: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
