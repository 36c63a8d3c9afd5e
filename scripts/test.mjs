// `npm test`: set-up, then every check and every test. Its last line counts them all.
// Node's own modules suffice, since nothing is installed yet.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name) => join(root, "node_modules/.bin", name);
const counts = { passed: 0, failed: 0 };

/** Each is one check: it went well when it ends with status 0. These only read. */
const CHECKS = [
  ["format", bin("prettier"), ["--check", "--log-level", "warn", "."]],
  ["lint", bin("oxlint"), ["--type-aware", "--deny-warnings"]],
  ["types", bin("tsc"), ["-p", "tsconfig.check.json"]],
  ["unused code", bin("knip"), []],
];

/** These build the package anew. */
const PACKAGE_CHECKS = [
  ["package contents", bin("publint"), ["--strict"]],
  ["package types", bin("attw"), ["--pack", ".", "--profile", "esm-only"]],
  ["documentation", process.execPath, ["scripts/check-docs.mjs"]],
];

const SETUP_MS = 10 * 60_000;
const CHECK_MS = 5 * 60_000;
const TESTS_MS = 30 * 60_000;

if ((await run(process.execPath, ["scripts/setup.mjs"], { timeoutMs: SETUP_MS, show: true })).status !== 0) {
  counts.failed += 1;
  finish();
}
for (const [name, command, args] of PACKAGE_CHECKS) await step(name, () => check(command, args));
// What waits for containers leaves time for what only computes.
await Promise.all([
  step("tests: integration", () => vitest("integration")),
  (async () => {
    for (const [name, command, args] of CHECKS) await step(name, () => check(command, args, { aside: true }));
    await step("python: format, lint, types, tests", () => python({ aside: true }));
    await step("tests: unit", () => vitest("unit", { aside: true }));
  })(),
]);
for (const project of ["stress", "e2e"]) await step(`tests: ${project}`, () => vitest(project));
finish();

async function check(command, args, options = {}) {
  const { status, output } = await run(command, args, { timeoutMs: CHECK_MS, ...options });
  return { passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, output };
}

/** Runs one step, and tells in a line how it went; what it has printed only when it failed. */
async function step(name, work) {
  const startedAt = performance.now();
  const failure = (error) => ({ passed: 0, failed: 1, output: String(error) });
  const { passed, failed, skipped = 0, output } = await work().catch(failure);
  counts.passed += passed;
  counts.failed += failed;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  if (failed > 0) process.stdout.write(`${output.trimEnd().replace(/^/gm, "    ")}\n`);
  const others = skipped > 0 ? `, ${skipped} not for this machine` : "";
  process.stdout.write(
    `${failed > 0 ? "FAILED" : "ok    "} ${name}: ${passed} passed, ${failed} failed${others} (${seconds} s)\n`,
  );
}

async function vitest(project, options = {}) {
  const directory = mkdtempSync(join(tmpdir(), "ipybox-test-"));
  const report = join(directory, "report.json");
  try {
    const args = ["run", "--project", project, "--reporter=dot", "--reporter=json", `--outputFile.json=${report}`];
    const { status, output } = await run(bin("vitest"), args, { timeoutMs: TESTS_MS, ...options });
    if (!existsSync(report)) return { passed: 0, failed: 1, output: `${output}\nvitest ended with ${status} and no report.` };
    const { numPassedTests: passed, numFailedTests, numPendingTests: skipped } = JSON.parse(readFileSync(report, "utf8"));
    // A file that can't be loaded, or an error outside of a test, has no test that could fail.
    const failed = Math.max(numFailedTests, status === 0 && passed > 0 ? 0 : 1);
    return { passed, failed, skipped, output };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function python(options) {
  const { status, output } = await run(process.execPath, ["scripts/python-checks.mjs"], { timeoutMs: TESTS_MS, ...options });
  const lines = [...output.matchAll(/^python: .*\((\d+) passed, (\d+) failed\)$/gm)];
  const sum = (group) => lines.reduce((total, line) => total + Number(line[group]), 0);
  return { passed: sum(1), failed: Math.max(sum(2), status === 0 && lines.length > 0 ? 0 : 1), output };
}

/** Runs a program to its end, or to its time limit; `aside`, when nothing else has use for the processor. */
function run(command, args, { timeoutMs, show = false, aside = false }) {
  return new Promise((resolve) => {
    // A group of its own, so that nothing of it is left when its time is over.
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], detached: true });
    if (aside && child.pid !== undefined) setPriority(child.pid, 10);
    let output = "";
    const take = (chunk) => {
      output = (output + chunk.toString()).slice(-200_000);
      if (show) process.stdout.write(chunk);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    const timer = setTimeout(() => {
      output += `\nIt was not done after ${timeoutMs / 1000} s.`;
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    }, timeoutMs);
    const end = (status) => {
      clearTimeout(timer);
      resolve({ status, output });
    };
    child.on("error", (error) => {
      output += error.message;
      end(undefined);
    });
    child.on("close", (status, signal) => end(status ?? signal));
  });
}

function finish() {
  process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`);
  process.exit(counts.failed === 0 ? 0 : 1);
}
