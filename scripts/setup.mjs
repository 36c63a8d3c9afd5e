// Makes everything ready that running needs: a Docker daemon, npm packages, dist/ and the default image.
// Does only what is missing. Node's own modules suffice, since nothing is installed yet.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const DAEMON_LOG = "/var/log/ipybox-dockerd.log";
const SOCKET = "/var/run/docker.sock";

await step("npm packages", installPackages);
await step("compile", compile);
await step("Docker daemon", ensureDaemon);
await step("image gradion-ai/ipybox", buildDefaultImage);

/** Runs one step and tells in a line what it did and how long that took. */
async function step(name, run) {
  const startedAt = performance.now();
  try {
    const outcome = await run();
    process.stderr.write(`${name}: ${outcome} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)\n`);
  } catch (error) {
    process.stderr.write(`${name}: failed\n${error.message}\n`);
    process.exit(1);
  }
}

function installPackages() {
  const lock = join(root, "package-lock.json");
  const installed = join(root, "node_modules/.package-lock.json");
  if (existsSync(installed) && (!existsSync(lock) || statSync(installed).mtimeMs >= statSync(lock).mtimeMs)) return "present";
  run("npm", [existsSync(lock) ? "ci" : "install", "--no-fund", "--no-audit", "--loglevel=error"]);
  return "installed";
}

function compile() {
  return unlessDone("compile", ["src", "tsconfig.json", "package-lock.json"], join(root, "dist/cli/main.js"), () =>
    run(process.execPath, ["scripts/build.mjs"]),
  );
}

async function ensureDaemon() {
  const { DockerEngine } = await import("../dist/engine/docker/docker-engine.js");
  const failure = await check(DockerEngine);
  if (failure === undefined) return "answers";
  const elsewhere = process.env.DOCKER_HOST || process.env.DOCKER_CONTEXT || contextIsSet();
  const canInstall = process.platform === "linux" && process.getuid() === 0 && existsSync("/usr/bin/apt-get");
  // A daemon that somebody else has set up is theirs to mend.
  if (elsewhere || !canInstall || failure.code !== "daemon_unreachable") throw failure;
  if (!existsSync("/usr/sbin/dockerd") && !existsSync("/usr/bin/dockerd")) {
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    run("apt-get", ["update", "-q"], env);
    run("apt-get", ["install", "-q", "-y", "--no-install-recommends", "docker.io", "iptables"], env);
    // The package may have started it by itself.
    if (await answersWithin(DockerEngine, 5_000)) return "installed";
  }
  await startDaemon(DockerEngine);
  return `started, its log is ${DAEMON_LOG}`;
}

async function startDaemon(DockerEngine) {
  const log = openSync(DAEMON_LOG, "a");
  // As many descriptors as its own package gives it, where that may be had: it needs one for each level of a tree that it removes.
  const start = 'ulimit -n 1048576 2> /dev/null; exec dockerd --host "$1"';
  const child = spawn("/bin/sh", ["-c", start, "sh", `unix://${SOCKET}`], { detached: true, stdio: ["ignore", log, log] });
  let ended;
  child.on("error", (error) => (ended = error.message));
  child.on("exit", (status) => (ended = `it ended with status ${status}`));
  child.unref();
  if (await answersWithin(DockerEngine, 30_000, () => ended !== undefined)) return;
  const tail = readFileSync(DAEMON_LOG, "utf8").trimEnd().split("\n").slice(-15).join("\n");
  throw new Error(`dockerd does not come up: ${ended ?? "it did not answer within 30 s"}. The end of ${DAEMON_LOG}:\n${tail}`);
}

async function answersWithin(DockerEngine, timeoutMs, giveUp = () => false) {
  for (const end = Date.now() + timeoutMs; Date.now() < end && !giveUp(); await delay(200)) {
    if ((await check(DockerEngine)) === undefined) return true;
  }
  return false;
}

function check(DockerEngine) {
  return Promise.resolve()
    .then(() => new DockerEngine().check())
    .then(
      () => undefined,
      (error) => error,
    );
}

function contextIsSet() {
  const path = join(process.env.DOCKER_CONFIG || join(homedir(), ".docker"), "config.json");
  const name = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).currentContext : undefined;
  return Boolean(name) && name !== "default";
}

/** Always built: what has not changed comes from the daemon's own cache, in a second or two. */
async function buildDefaultImage() {
  const { ExecutionImage } = await import("../dist/image.js");
  const { id } = await ExecutionImage.build({
    onProgress: ({ kind, text }) => kind === "notice" && process.stderr.write(`${text}\n`),
  });
  return `is ${id.replace("sha256:", "").slice(0, 12)}`;
}

/** Makes a file unless it was made from the same inputs and is there. */
async function unlessDone(name, inputs, outcome, work) {
  const stamp = join(root, "node_modules/.cache/ipybox", name);
  const hash = createHash("sha256");
  for (const input of inputs) hashTree(hash, join(root, input));
  const digest = hash.digest("hex");
  if (existsSync(outcome) && existsSync(stamp) && readFileSync(stamp, "utf8") === digest) return "up to date";
  await work();
  mkdirSync(join(stamp, ".."), { recursive: true });
  writeFileSync(stamp, digest);
  return "built";
}

function hashTree(hash, path) {
  if (!existsSync(path)) return;
  if (statSync(path).isDirectory()) {
    for (const name of readdirSync(path).sort()) if (name !== "__pycache__") hashTree(hash, join(path, name));
  } else {
    hash.update(path.slice(root.length)).update("\0").update(readFileSync(path)).update("\0");
  }
}

function run(command, args, env = {}) {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status === 0) return;
  const reason = error?.message ?? `ended with status ${status}`;
  throw new Error(
    `\`${[command, ...args].join(" ")}\` ${reason}\n${`${stdout ?? ""}${stderr ?? ""}`.trim().split("\n").slice(-30).join("\n")}`,
  );
}
