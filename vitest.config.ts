import { defineConfig } from "vitest/config";

/** They take all that the machine has: nothing else runs beside them. */
const STRESS = ["test/integration/abuse.test.ts", "test/integration/load.test.ts", "test/integration/bounds.test.ts"];

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts", "test/pins/**/*.test.ts"] } },
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
          fileParallelism: false,
        },
      },
    ],
  },
});
