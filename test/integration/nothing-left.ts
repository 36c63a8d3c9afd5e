import { afterAll } from "vitest";
import { ownContainers } from "./docker.ts";

// Runs in each file of tests, after all that the file itself does at its end.
afterAll(async () => {
  const left = await ownContainers();
  if (left.length > 0) throw new Error(`the tests of this file have left containers behind: ${left.join(", ")}`);
});
