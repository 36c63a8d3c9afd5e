// Runs the examples, one after the other, and tells in a line each how it went.
// `npm run examples` runs all, `npm run examples -- 03 plots` those whose names contain one of the words.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import { secondDaemonObstacle, startSecondDaemon } from "../test/fakes/second-daemon.ts";

const DIRECTORY = fileURLToPath(new URL("../examples", import.meta.url));
const IMAGE = "gradion-ai/ipybox:latest";
const TIME_LIMIT_MS = 180_000;
/** Needs a daemon that is reached over TCP. */
const REMOTE = "09-remote-docker-host";

const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stopping.abort());

const words = process.argv.slice(2);
const names = readdirSync(DIRECTORY)
  .filter((name) => /^\d\d-.*\.ts$/.test(name))
  .map((name) => name.replace(/\.ts$/, ""))
  .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
  .sort();
const counts = { passed: 0, failed: 0, skipped: 0 };
for (const name of names) {
  if (stopping.signal.aborted) break;
  const startedAt = performance.now();
  const { outcome, text } = await run(name);
  counts[outcome] += 1;
  const word = { passed: "ok", failed: "FAILED", skipped: "skipped" }[outcome];
  console.log(`${word.padEnd(8)}${name.padEnd(28)}${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  if (text !== "") console.log(text.trimEnd().replace(/^/gm, "    "));
}
const skipped = counts.skipped === 0 ? "" : `, ${counts.skipped} skipped`;
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
process.exitCode = counts.failed > 0 || counts.passed === 0 || stopping.signal.aborted ? 1 : 0;

async function run(name) {
  if (name !== REMOTE || process.env.DOCKER_HOST) return runProgram(name, {});
  const obstacle = secondDaemonObstacle();
  if (obstacle !== undefined) return { outcome: "skipped", text: `It needs a daemon to reach over TCP, and ${obstacle}.` };
  let daemon;
  try {
    daemon = await startSecondDaemon(IMAGE);
    return await runProgram(name, { DOCKER_HOST: daemon.dockerHost });
  } catch (error) {
    return { outcome: "failed", text: String(error) };
  } finally {
    await daemon?.[Symbol.asyncDispose]();
  }
}

/** Runs one program to its end; its output is told only when it fails. */
async function runProgram(name, env) {
  if (stopping.signal.aborted) return { outcome: "failed", text: "It was stopped." };
  const child = spawn(process.execPath, ["--import", "tsx", `${DIRECTORY}/${name}.ts`], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (chunk) => (text += chunk));
  let reason;
  const end = (why) => {
    reason ??= why;
    child.kill("SIGKILL");
  };
  const timer = setTimeout(() => end(`It did not end within ${TIME_LIMIT_MS / 1000} s.`), TIME_LIMIT_MS);
  const stop = () => end("It was stopped.");
  stopping.signal.addEventListener("abort", stop);
  const status = await new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(signal ?? code));
  });
  clearTimeout(timer);
  stopping.signal.removeEventListener("abort", stop);
  if (status === 0) return { outcome: "passed", text: "" };
  await removeContainersOf(child.pid, env.DOCKER_HOST);
  return { outcome: "failed", text: `${text}${reason ?? `It ended with ${status}.`}` };
}

/** What a program that was killed has left behind. */
async function removeContainersOf(pid, dockerHost) {
  const { DockerEngine } = await import("../dist/engine/docker/docker-engine.js");
  const engine = new DockerEngine(dockerHost);
  for (const { id } of await engine.list({ "ipybox.owner": `${pid}@${hostname()}` })) await engine.remove(id);
}
