import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ExecutionClient, ExecutionContainer, ExecutionImage } from "ipybox";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifies } from "../requirements.ts";
import { removeImages } from "./docker.ts";
import { useContainer } from "./sandbox.ts";

const sandbox = useContainer();

describe("a package installed at run time", () => {
  it("streams its progress, imports, and is seen by other clients", async () => {
    verifies("EXEC-09");
    await using client = await sandbox.connect();
    await using other = await sandbox.connect();
    const execution = client.submit("!pip install einops==0.8.0\nimport einops\nprint(einops.__version__)");
    const chunks: string[] = [];
    for await (const chunk of execution.stream()) chunks.push(chunk);
    expect(chunks.length).toBeGreaterThan(2);
    expect(chunks[0]).toContain("Collecting einops==0.8.0");
    expect(chunks.at(-1)).toBe("0.8.0\n");
    expect((await other.execute("import einops; einops.__version__")).text).toBe("'0.8.0'");
  });

  it("may have C extensions, and %pip works, too", async () => {
    verifies("EXEC-09");
    await using client = await sandbox.connect();
    await client.execute("%pip install -q msgpack");
    expect((await client.execute("from msgpack import _cmsgpack\n_cmsgpack.Packer().pack([1])")).text).toBe("b'\\x91\\x01'");
  });

  it("is compiled when it is imported, unless pip is told to", async () => {
    verifies("EXEC-09");
    await using client = await sandbox.connect();
    const compiled = async (code: string): Promise<string | null> =>
      (
        await client.execute(
          `${code}\nimport glob\nlen(glob.glob("/venv/lib/*/site-packages/humanize/__pycache__/__init__.*.pyc"))`,
        )
      ).text;
    await client.execute("!pip install -q humanize");
    expect(await compiled("")).toBe("0");
    expect(await compiled("import humanize")).toBe("1");
    await client.execute("!pip uninstall -q -y humanize && pip install -q --compile humanize");
    expect(await compiled("")).toBe("1");
  });

  it("can't break the kernel or the agent", async () => {
    verifies("EXEC-09", "IMG-06");
    await using client = await sandbox.connect();
    const sabotage = [
      "import pathlib, sysconfig",
      "root = pathlib.Path(sysconfig.get_path('purelib', vars={'base': '/venv'}))",
      "for name in ('IPython', 'traitlets', 'json', 'asyncio', 'decorator'):",
      "    (root / f'{name}.py').write_text('raise RuntimeError(\"broken\")')",
      "root, (root / 'sitecustomize.py').write_text('raise RuntimeError(\"broken\")')",
    ].join("\n");
    await client.execute(sabotage);
    await using next = await sandbox.connect();
    expect((await next.execute("import IPython, json; get_ipython() is not None")).text).toBe("True");
    await next.execute("!rm -f /venv/lib/python3*/site-packages/{IPython,traitlets,json,asyncio,decorator,sitecustomize}.py");
  });
});

describe("images of a container that has matplotlib preloaded", () => {
  const tag = "ipybox-test/plots:v1";
  let directory: string;
  let container: ExecutionContainer;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "ipybox-test-"));
    const dependencies = join(directory, "requirements.txt");
    await writeFile(dependencies, "matplotlib\npillow\n");
    await ExecutionImage.build({ tag, dependencies, preload: ["matplotlib.pyplot"] });
    container = await ExecutionContainer.create({ tag });
  }, 180_000);

  afterAll(async () => {
    await container.kill();
    await removeImages(tag);
    await rm(directory, { recursive: true });
  });

  it("draws inline from a new kernel's first cell on", async () => {
    verifies("EXEC-08", "IMG-06");
    await using client = await ExecutionClient.connect({ port: container.port });
    const { images, text } = await client.execute(
      "import sys; print('matplotlib.pyplot' in sys.modules)\nsys.modules['matplotlib.pyplot'].plot([1, 2]);",
    );
    expect(text).toBe("True");
    expect(images).toHaveLength(1);
  });

  it("of a plot are PNG with their size, are saved, and are neither in text nor stream", async () => {
    verifies("EXEC-08");
    await using client = await ExecutionClient.connect({ port: container.port });
    const execution = client.submit(
      "import matplotlib.pyplot as plt\nplt.figure(figsize=(4, 3), dpi=100)\nplt.plot([1, 2, 3])\nplt.show()\nprint('plotted')",
    );
    let text = "";
    for await (const chunk of execution.stream()) text += chunk;
    expect(text).toBe("plotted\n");
    const result = await execution.result();
    expect(result.text).toBe("plotted");
    expect(result.images).toHaveLength(1);
    const [image] = result.images;
    expect(image?.mimeType).toBe("image/png");
    expect(image?.width).toBeGreaterThan(200);
    expect(image?.height).toBeGreaterThan(150);
    await image?.save(join(directory, "plot.png"));
    const saved = await readFile(join(directory, "plot.png"));
    expect(saved.subarray(1, 4).toString()).toBe("PNG");
    expect(saved.equals(Buffer.from(image?.data ?? []))).toBe(true);
  });

  it("of an open figure come at the cell's end, in order with PIL's", async () => {
    verifies("EXEC-08");
    await using client = await ExecutionClient.connect({ port: container.port });
    const { images, text } = await client.execute(
      [
        "import matplotlib.pyplot as plt",
        "from PIL import Image",
        "display(Image.new('RGB', (30, 20), 'red'))",
        "plt.figure(figsize=(2, 2), dpi=50); plt.plot([1]); plt.show()",
        "display(Image.new('RGB', (50, 40), 'blue'))",
        "fig, ax = plt.subplots()",
        "ax.plot([1, 2]);",
      ].join("\n"),
    );
    expect(images.map(({ width, height }) => (width === 30 || width === 50 ? `${width}x${height}` : "plot"))).toEqual([
      "30x20",
      "plot",
      "50x40",
      "plot",
    ]);
    expect(text).toBeNull();
  });
});
