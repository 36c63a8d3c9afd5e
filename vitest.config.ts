import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** They take all that the machine has: nothing else runs beside them. */
const STRESS = ["test/integration/abuse.test.ts", "test/integration/load.test.ts", "test/integration/bounds.test.ts"];

/** They take a minute or more. */
const LONG =
  /\/(compatibility|examples|outage|lease|network|network-mutation|network-change|image-proxy|base-image|container|outputs|faults|cli-run|mcp-http)\.test\.ts$/;

/** Begins with the longest, so that none of them is left over when all others are done. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean => LONG.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts", "test/pins/**/*.test.ts"],
          maxWorkers: 2,
          // They may run beside what goes first.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          exclude: STRESS,
          setupFiles: ["test/integration/nothing-left.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Most of the time is spent waiting; but containers share two cores with everything else.
          maxWorkers: 2,
          maxConcurrency: 8,
        },
      },
      {
        test: {
          name: "stress",
          include: STRESS,
          setupFiles: ["test/integration/nothing-left.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          maxWorkers: 2,
        },
      },
    ],
  },
});
