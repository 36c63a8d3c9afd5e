import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { verifies } from "../requirements.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

it("all examples run and find what they expect", { timeout: 600_000 }, async () => {
  verifies("DOC-02", "CONT-08");
  const run = promisify(execFile)(process.execPath, ["--import", "tsx", "scripts/examples.mjs"], { cwd: root });
  // Of one that fails, all it has printed is in the lines: it must be seen in the report.
  const { stdout, stderr } = await run.catch((error: { stdout: string; stderr: string }) => error);
  const lines = `${stdout}${stderr}`.trimEnd().split("\n");
  expect(lines.filter((line) => !/^(ok|skipped) /.test(line))).toEqual([expect.stringMatching(/^[1-9]\d* passed, 0 failed/)]);
});
