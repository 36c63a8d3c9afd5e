// The checks of the Python side: format, lint, types and tests. They run in a container of an image that is
// made of the default one's layers, so the machine itself needs no Python.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { fileURLToPath, pathToFileURL } from "node:url";
import { extract, pack } from "tar-stream";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const TAG = "ipybox-test/python";
const SOURCES = ["python", "test/vectors"];
const REPORT = "/tmp/report/pytest.xml";
const TIMEOUT_MS = 300_000;

// As installed packages: on mypy's own path, typing_extensions would hide what mypy brings.
const INSTALLED = `echo /opt/ipybox/python > "$(python -c 'import site; print(site.getsitepackages()[0])')/ipybox.pth"`;

const CHECKS = [
  { name: "python: format", command: "ruff format --check --no-cache ." },
  { name: "python: lint", command: "ruff check --no-cache ." },
  { name: "python: types", command: "mypy --cache-dir=/tmp/mypy", prepare: INSTALLED },
  { name: "python: tests", command: `pytest -q -p no:cacheprovider --junitxml=${REPORT}`, report: true },
];

/** Runs all checks; gives for each its name, whether it went well, its output, and how many tests passed and failed. */
export async function pythonChecks() {
  const { ExecutionImage } = await import("../dist/image.js");
  const { resolveEndpoint } = await import("../dist/engine/docker/endpoint.js");
  const { connectDocker } = await import("../dist/engine/docker/connect.js");
  await ExecutionImage.build({ tag: TAG, dependencies: join(ROOT, "python/tests/requirements.txt") });
  const docker = connectDocker(resolveEndpoint());
  const sources = await archive();
  const outcomes = [];
  for (const check of CHECKS) outcomes.push(await runCheck(docker, sources, check));
  return outcomes;
}

async function runCheck(docker, sources, { name, command, prepare = "true", report = false }) {
  const startedAt = performance.now();
  const { status, output, xml } = await runInImage(docker, sources, `${prepare} && exec ${command}`, report);
  const counts = xml === undefined ? { passed: 0, failed: 0 } : testCounts(xml);
  const ms = performance.now() - startedAt;
  if (!report) return { name, ok: status === 0, output, ms, passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1 };
  // A run that broke off, for instance while it collected the tests, is a failure of its own.
  const broken = status !== 0 && counts.failed === 0 ? 1 : 0;
  const empty = counts.passed + counts.failed === 0 && broken === 0 ? 1 : 0;
  return { name, ok: status === 0 && empty === 0, output, ms, passed: counts.passed, failed: counts.failed + broken + empty };
}

async function runInImage(docker, sources, command, report) {
  const container = await docker.createContainer({
    Image: TAG,
    Entrypoint: ["/bin/sh", "-c", `mkdir -p /tmp/report && cd /src/python && ${command}`],
    User: "1000:1000",
    Tty: true, // one stream, not split into two
    Env: [
      "PYTHONPATH=/src/python:/opt/ipybox/python",
      "MYPYPATH=/src/python",
      "PYTHONDONTWRITEBYTECODE=1",
      "NO_COLOR=1",
      "TERM=dumb",
      "COLUMNS=130",
    ],
    HostConfig: { NetworkMode: "none" },
  });
  const deadline = AbortSignal.timeout(TIMEOUT_MS);
  try {
    await container.putArchive(sources, { path: "/" });
    await container.start();
    const { StatusCode: status } = await container.wait({ abortSignal: deadline });
    const output = (await container.logs({ stdout: true, stderr: true, follow: false })).toString();
    return { status, output, xml: report && status < 2 ? await readFile(container, REPORT) : undefined };
  } finally {
    await container.remove({ force: true, v: true });
  }
}

/** The sources below /src, readable for all. */
async function archive() {
  const tar = pack();
  for (const directory of SOURCES) {
    for (const entry of readdirSync(join(ROOT, directory), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile() || path.includes("__pycache__")) continue;
      tar.entry({ name: `src/${path.slice(ROOT.length)}`, mode: 0o644 }, readFileSync(path));
    }
  }
  tar.finalize();
  return buffer(tar);
}

async function readFile(container, path) {
  const files = (await container.getArchive({ path })).pipe(extract());
  let content;
  for await (const entry of files) content = await text(entry); // to the end: else the connection stays open
  if (content === undefined) throw new Error(`${path} is not in the container`);
  return content;
}

function testCounts(xml) {
  const suite = /<testsuite [^>]*>/.exec(xml)?.[0] ?? "";
  const count = (name) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suite)?.[1] ?? Number.NaN);
  const failed = count("failures") + count("errors") + count("skipped"); // nothing is skipped on purpose
  const passed = count("tests") - failed;
  if (Number.isNaN(passed)) throw new Error("pytest's report can't be read");
  return { passed, failed };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const outcomes = await pythonChecks();
  for (const { name, ok, output, passed, failed } of outcomes) {
    process.stdout.write(`${output.trimEnd()}\n${name}: ${ok ? "ok" : "FAILED"} (${passed} passed, ${failed} failed)\n`);
  }
  process.exitCode = outcomes.every(({ ok }) => ok) ? 0 : 1;
}
