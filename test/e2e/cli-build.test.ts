import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ExecutionContainer, DEFAULTS } from "ipybox";
import { verifies } from "../requirements.ts";
import { cli, listContainers, startCli, temporaryDirectory } from "./cli.ts";
import { createForeignContainer, findImage, hasContainer, imageTag, tagDefaultImage } from "./images.ts";

const VERSION = "0.8.1";
const PRINT_VERSION = "import einops; print(einops.__version__)";

describe("ipybox build", () => {
  it.each([
    { file: "requirements.txt", content: `# what cells need\neinops==${VERSION}\n` },
    { file: "pyproject.toml", content: `[project]\nname = "x"\nversion = "1"\ndependencies = ["einops==${VERSION}"]\n` },
  ])("installs the packages of a $file", async ({ file, content }) => {
    verifies("IMG-01", "CLI-01");
    const directory = await temporaryDirectory();
    await writeFile(join(directory, file), content);
    const tag = imageTag(file.replace(/\W/g, "-"));
    const built = await cli(["build", "-t", tag, "-d", file], { cwd: directory });
    expect([built.status, built.stdout]).toEqual([0, ""]);
    expect(built.stderr).toMatch(/^\[1\/\d+\] .*\n(?:.*\n)*Built ipybox-test\/.* \(\d+ MB\) in [\d.]+ s\n$/);
    const { status, stdout } = await cli(["run", "-t", tag, "-"], { input: PRINT_VERSION });
    expect([status, stdout]).toEqual([0, `${VERSION}\n`]);
  });

  it("takes under 5 s when nothing has changed, and the default image is under 450 MB", async () => {
    verifies("IMG-04");
    const tag = imageTag("unchanged");
    expect((await cli(["build", "-t", tag])).status).toBe(0);
    const startedAt = performance.now();
    expect((await cli(["build", "-t", tag])).status).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect((await findImage(DEFAULTS.tag))?.sizeBytes).toBeLessThan(450e6);
  });

  it.each([
    {
      name: "a package that there is not",
      file: "r.txt",
      content: "einops==0.0.0.dev999\n",
      tells: "No matching distribution found for einops==0.0.0.dev999",
    },
    { name: "a line that is no requirement", file: "r.txt", content: "!!\n", tells: "Invalid requirement: '!!'" },
    { name: "no TOML", file: "pyproject.toml", content: "[project\n", tells: "is no valid TOML" },
    { name: "no dependencies", file: "pyproject.toml", content: '[project]\nname = "x"\n', tells: 'has no "dependencies"' },
  ])("fails with the reason and tags nothing for $name", async ({ file, content, tells }) => {
    verifies("IMG-05");
    const directory = await temporaryDirectory();
    await writeFile(join(directory, file), content);
    const tag = imageTag("failed");
    const { status, stdout, stderr } = await cli(["build", "-t", tag, "-d", file], { cwd: directory });
    expect(status).toBeGreaterThan(0);
    expect(stdout).toBe("");
    expect(stderr).toContain(tells);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(await findImage(tag)).toBeUndefined();
  });

  it("leaves an image of that name as it was when a new one can't be built", async () => {
    verifies("IMG-05");
    const directory = await temporaryDirectory();
    const tag = await tagDefaultImage("kept");
    const before = await findImage(tag);
    await writeFile(join(directory, "r.txt"), "!!\n");
    expect((await cli(["build", "-t", tag, "-d", "r.txt"], { cwd: directory })).status).toBe(1);
    expect(await findImage(tag)).toEqual(before);
    expect(before).toBeDefined();
  });

  it("tags nothing when it is stopped", async () => {
    verifies("LIFE-02");
    const directory = await temporaryDirectory();
    // Never the same, so that the step is not taken from an earlier build.
    await writeFile(join(directory, "r.txt"), `# ${randomUUID()}\neinops==${VERSION}\n`);
    const tag = imageTag("stopped");
    const running = startCli(["build", "-t", tag, "-d", "r.txt"], { cwd: directory });
    await running.prints("umask 0002; if", "stderr");
    running.child.kill("SIGINT");
    expect((await running.finished).status).toBe(130);
    expect(await findImage(tag)).toBeUndefined();
  });

  it("names a dependency file that is missing", async () => {
    verifies("IMG-05", "CLI-01");
    const { status, stderr } = await cli(["build", "-t", imageTag("missing"), "-d", "missing.txt"]);
    expect(status).toBe(2);
    expect(stderr).toContain("The dependency file missing.txt can't be read");
  });
});

describe("ipybox ls and cleanup", () => {
  it("list this tool's containers, and remove those of one image and no other", async () => {
    verifies("IMG-03", "CLI-01", "CONT-12");
    const [mine, other] = [await tagDefaultImage("mine"), await tagDefaultImage("other")];
    await using first = await ExecutionContainer.create({ tag: mine });
    await using second = await ExecutionContainer.create({ tag: mine });
    await using third = await ExecutionContainer.create({ tag: other });
    const foreign = await createForeignContainer(mine);

    const listed = await listContainers();
    expect(listed.find(({ id }) => id === first.id)).toEqual({
      id: first.id,
      image: mine,
      running: true,
      port: first.port,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      owner: `${process.pid}@${hostname()}`,
    });
    expect(
      listed
        .filter(({ image }) => image === mine)
        .map(({ id }) => id)
        .sort(),
    ).toEqual([first.id, second.id].sort());
    const { stdout: table } = await cli(["ls"]);
    expect(table).toMatch(/^ID +IMAGE +STATE +PORT +CREATED +OWNER\n/);
    expect(table).toMatch(new RegExp(`^${third.id.slice(0, 12)} +${other} +running +${third.port} `, "m"));
    expect(table).not.toContain(foreign.slice(0, 12));

    expect(await cli(["cleanup", "-a", mine])).toEqual({
      status: 0,
      stdout: `Removed 2 containers of image ${mine}\n`,
      stderr: "",
    });
    const found = await Promise.all([first.id, second.id, third.id, foreign].map(hasContainer));
    expect(found).toEqual([false, false, true, true]);
    expect((await cli(["cleanup", "--ancestor", other])).stdout).toBe(`Removed 1 container of image ${other}\n`);
    expect((await cli(["cleanup", "-a", mine])).stdout).toBe(`Removed 0 containers of image ${mine}\n`);
    expect(await hasContainer(foreign)).toBe(true);
  });

  it.each([["ls"], ["cleanup", "-a", "nobodys"], ["build"]])("tell that no daemon answers: %s", async (...args) => {
    verifies("CONT-10", "CLI-01");
    const { status, stdout, stderr } = await cli(args, { env: { DOCKER_HOST: "unix:///nonexistent" } });
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("code: daemon_unreachable");
  });
});
