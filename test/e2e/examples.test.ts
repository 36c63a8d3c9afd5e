import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { verifies } from "../requirements.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

it("all examples run and find what they expect", { timeout: 600_000 }, async () => {
  verifies("DOC-02", "CONT-08");
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", "scripts/examples.mjs"], { cwd: root });
  expect(stdout).toMatch(/^[1-9]\d* passed, 0 failed/m);
});
