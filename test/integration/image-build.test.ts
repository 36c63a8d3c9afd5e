import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEFAULTS, ExecutionClient, ExecutionContainer, ExecutionError, ExecutionImage, IpyboxError } from "ipybox";
import { verifies } from "../requirements.ts";
import { docker, hasImage, removeImages } from "./docker.ts";
import { eventually, rejection } from "./sandbox.ts";

const PRELOADED = "ipybox-test/preloaded:v1";
const PROJECT = "ipybox-test/project";
const FAILING = "ipybox-test/failing";
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ipybox-build-"));
});
afterAll(async () => {
  await removeImages(PRELOADED, PROJECT, FAILING);
  await rm(directory, { recursive: true, force: true });
});

async function file(name: string, content: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

function connect(container: ExecutionContainer): Promise<ExecutionClient> {
  return ExecutionClient.connect({ port: container.port });
}

describe("the default image", () => {
  it("is under 450 MB", async () => {
    verifies("IMG-04");
    const { Size: size } = await docker.getImage(DEFAULTS.tag).inspect();
    expect(size).toBeLessThan(450e6);
    expect(size).toBeGreaterThan(100e6);
  });
});

describe("a build with packages and preloaded modules", () => {
  let dependencies: string;
  const steps: string[] = [];

  beforeAll(async () => {
    dependencies = await file("requirements.txt", "einops==0.8.0\n");
    await ExecutionImage.build({
      ...{ tag: PRELOADED, dependencies, preload: ["einops", "json.tool"] },
      onProgress: (progress) => void (progress.kind === "step" && steps.push(`${progress.step}/${progress.steps}`)),
    });
  }, 180_000);

  it("shows its progress step by step", () => {
    verifies("IMG-01");
    const count = Number(steps[0]?.split("/")[1]);
    expect(count).toBeGreaterThan(10);
    expect(steps).toEqual(Array.from({ length: count }, (_, index) => `${index + 1}/${count}`));
  });

  it("of a requirements.txt gives its packages to cells", async () => {
    verifies("IMG-01");
    await using container = await ExecutionContainer.create({ tag: PRELOADED });
    await using client = await connect(container);
    expect((await client.execute("import einops; print(einops.__version__, einops.__file__)")).text).toMatch(/^0\.8\.0 \/venv\//);
  });

  it("of the same again takes under 5 s and gives the same image", async () => {
    verifies("IMG-04");
    const { Id: before } = await docker.getImage(PRELOADED).inspect();
    const startedAt = performance.now();
    const image = await ExecutionImage.build({ tag: PRELOADED, dependencies, preload: ["einops", "json.tool"] });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(image.id).toBe(before);
  });

  it("has preloaded modules in each new kernel from its start, and others not", async () => {
    verifies("IMG-06");
    await using container = await ExecutionContainer.create({ tag: PRELOADED });
    for (let kernel = 0; kernel < 2; kernel += 1) {
      await using client = await connect(container);
      const code = "import sys; print([name in sys.modules for name in ('einops', 'json.tool', 'sqlite3')])";
      expect((await client.execute(code)).text).toBe("[True, True, False]");
    }
  });

  it("shows new kernels the new state when a preloaded package is upgraded or removed at run time", async () => {
    verifies("IMG-06");
    await using container = await ExecutionContainer.create({ tag: PRELOADED });
    await using first = await connect(container);
    const version = "import einops; print(einops.__version__)";
    expect((await first.execute(version)).text).toBe("0.8.0");
    await first.execute("!pip install -q einops==0.8.1");
    await using second = await connect(container);
    expect((await second.execute(version)).text).toBe("0.8.1");
    expect((await first.execute(version)).text).toBe("0.8.0");
    await second.execute("!pip uninstall -q -y einops");
    await using third = await connect(container);
    const error = await rejection(third.execute(version), ExecutionError);
    expect(error.errorName).toBe("ModuleNotFoundError");
    await third.execute("!pip install -q einops==0.8.0");
    await using fourth = await connect(container);
    expect((await fourth.execute(version)).text).toBe("0.8.0");
  });
});

describe("a build of a pyproject.toml", () => {
  it("gives the project's dependencies to cells", async () => {
    verifies("IMG-01");
    const toml = '[project]\nname = "mine"\nversion = "1"\ndependencies = ["einops>=0.8,<0.9"]\n\n[tool.other]\nx = 1\n';
    const dependencies = await file("pyproject.toml", toml);
    const image = await ExecutionImage.build({ tag: PROJECT, dependencies });
    expect(image.tag).toBe(`${PROJECT}:latest`);
    await using container = await ExecutionContainer.create({ tag: PROJECT });
    await using client = await connect(container);
    expect((await client.execute("import einops; print(einops.__version__)")).text).toMatch(/^0\.8\./);
  }, 180_000);
});

describe("a build fails with what the installer says, and leaves no tag, when", () => {
  it.each<[string, string, string, RegExp]>([
    [
      "a package does not exist",
      "requirements.txt",
      "ipybox-no-such-package==1.0\n",
      /No matching distribution found for ipybox-no-such-package/,
    ],
    ["a version does not exist", "requirements.txt", "einops==99.99\n", /No matching distribution found for einops==99\.99/],
    ["a line is no requirement", "requirements.txt", "this is ! no requirement\n", /Invalid requirement/],
    [
      "packages exclude each other",
      "requirements.txt",
      "einops==0.8.0\neinops==0.8.1\n",
      /[Cc]onflicting|double requirement|incompatible/,
    ],
    ["a pyproject.toml is broken", "pyproject.toml", "[project\n", /pyproject\.toml is no valid TOML/],
    ["a pyproject.toml has no dependencies", "pyproject.toml", "[tool.x]\n", /has no "dependencies"/],
  ])(
    "%s",
    async (_, name, content, reason) => {
      verifies("IMG-05");
      const dependencies = await file(name, content);
      const error = await rejection(ExecutionImage.build({ tag: FAILING, dependencies }), IpyboxError);
      expect(error.code).toBe(name.endsWith(".toml") ? "invalid_option" : "image_build_failed");
      expect(error.message).toMatch(reason);
      expect(await hasImage(FAILING)).toBe(false);
    },
    120_000,
  );

  it("a module to preload can't be imported", async () => {
    verifies("IMG-05", "IMG-06");
    const error = await rejection(ExecutionImage.build({ tag: FAILING, preload: ["ipybox_no_such_module"] }), IpyboxError);
    expect(error.code).toBe("image_build_failed");
    expect(error.message).toMatch(
      /No module named 'ipybox_no_such_module'[^]*--preload: the image can't import 'ipybox_no_such_module'/,
    );
    expect(await hasImage(FAILING)).toBe(false);
  }, 120_000);

  it("the base is not there", async () => {
    verifies("IMG-01", "IMG-05");
    const base = "127.0.0.1:1/ipybox-test/no-base";
    const error = await rejection(ExecutionImage.build({ tag: FAILING, base }), IpyboxError);
    expect(error).toMatchObject({ code: "image_not_found", details: { image: `${base}:latest` } });
    expect(error.message).toMatch(/connection refused.*Check its name, or leave --base out/);
    expect(await hasImage(FAILING)).toBe(false);
  });

  it("its signal aborts", async () => {
    verifies("IMG-05");
    const controller = new AbortController();
    const reason = new Error("no longer wanted");
    const dependencies = await file(
      "requirements.txt",
      "--retries 0\n--timeout 30\n--index-url http://10.255.255.1/simple\nx==1\n",
    );
    const lines: string[] = [];
    const { signal } = controller;
    const building = ExecutionImage.build({
      tag: FAILING,
      dependencies,
      signal,
      onProgress: ({ text }) => void lines.push(text),
    });
    const failure = rejection(building, Error);
    await eventually(() => lines.some((line) => line.includes("pip install -q --compile -r")));
    controller.abort(reason);
    expect(await failure).toBe(reason);
    expect(await hasImage(FAILING)).toBe(false);
  }, 60_000);

  it("an image of that name stays as it was", async () => {
    verifies("IMG-05");
    await docker.getImage(DEFAULTS.tag).tag({ repo: FAILING });
    const { Id: before } = await docker.getImage(FAILING).inspect();
    const dependencies = await file("requirements.txt", "ipybox-no-such-package==1.0\n");
    await rejection(ExecutionImage.build({ tag: FAILING, dependencies }), IpyboxError);
    expect((await docker.getImage(FAILING).inspect()).Id).toBe(before);
  }, 60_000);

  it("its name is a digest", async () => {
    const tag = `box@sha256:${"0".repeat(64)}`;
    expect(await rejection(ExecutionImage.build({ tag }), IpyboxError)).toMatchObject({ code: "invalid_option" });
  });
});
