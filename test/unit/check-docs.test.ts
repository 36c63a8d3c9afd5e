import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { verifies } from "../requirements.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const EXAMPLE =
  'const a = 1;\n// #region import\nimport "node:fs";\n// #endregion\n{\n  // #region shown\n  f(\n    a,\n  );\n  // #endregion\n}\n';
let root: string;

beforeEach(async () => {
  await mkdir(join(repository, ".cache"), { recursive: true });
  root = await mkdtemp(join(repository, ".cache/check-docs-"));
  await write("examples/one.ts", EXAMPLE);
  await write("src/index.ts", 'export { Thing } from "./thing.ts";\n');
  await write("src/thing.ts", "/** A thing. */\nexport class Thing {}\n");
  await write("README.md", "# Title\n\n[guide](docs/guide.md#the-part-two)\n");
  await write("docs/guide.md", "# Guide\n\n## The `part` (two)\n");
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

async function write(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

async function check(...flags: string[]): Promise<{ readonly status: number; readonly problems: readonly string[] }> {
  const script = join(repository, "scripts/check-docs.mjs");
  const { code, stderr } = await promisify(execFile)(process.execPath, [script, root, ...flags]).then(
    (done) => ({ ...done, code: 0 }),
    (error: unknown) => error as { code: number; stderr: string },
  );
  return { status: code, problems: stderr.split("\n").filter(Boolean) };
}

describe("the check of the documentation", () => {
  it("finds nothing in a project that is right", async () => {
    verifies("DOC-01", "DOC-02", "DOC-03");
    await write(
      "docs/code.md",
      [
        '<!-- from examples/one.ts#import,shown -->\n```ts\nimport "node:fs";\n\nf(\n  a,\n);\n```',
        "```ts\nconst { text } = await client.execute(code);\nconsole.log(text?.length);\n```",
        "`[no link](nowhere.md)` [web](https://example.org/x) [self](#code-1)\n\n# Code: 1\n\n```sh\n# [no link](nowhere.md)\n```",
      ].join("\n\n"),
    );
    expect(await check()).toEqual({ status: 0, problems: [] });
  });

  it("tells each block that differs from its example, and writes it anew when asked", async () => {
    verifies("DOC-02");
    const page = "<!-- from examples/one.ts#shown -->\n```ts\nold();\n```\n\n<!-- from examples/one.ts#none -->\n```ts\n```\n";
    await write("docs/code.md", page);
    const { status, problems } = await check();
    expect(status).toBe(1);
    expect(problems).toEqual([
      expect.stringMatching(/^docs\/code\.md:2: differs from examples\/one\.ts#shown/),
      "docs/code.md:7: examples/one.ts: it has no region none",
    ]);
    await check("--write");
    expect(await readFile(join(root, "docs/code.md"), "utf8")).toBe(page.replace("old();", "f(\n  a,\n);"));
  });

  it("tells where a block does not compile, and which blocks would not be compiled", async () => {
    verifies("DOC-02");
    await write("docs/code.md", "# Code\n\n```ts\nconst n = 1;\nclient.excute(code);\n```\n\n```typescript\n1;\n```\n");
    const { status, problems } = await check();
    expect(status).toBe(1);
    expect(problems).toEqual([
      expect.stringContaining("docs/code.md:8: a block of the language typescript is not checked"),
      expect.stringMatching(/^docs\/code\.md:5:8: error TS\d+: Property 'excute' does not exist/),
    ]);
  });

  it("tells dead links and anchors", async () => {
    verifies("DOC-01");
    await write("docs/code.md", "# Code\n\n[a](../nowhere.md)\n[b](guide.md#part)\n");
    const { status, problems } = await check();
    expect(status).toBe(1);
    expect(problems).toEqual([
      "docs/code.md:3: the link to ../nowhere.md leads nowhere",
      "docs/code.md:4: the link to guide.md#part: no heading there has that anchor",
    ]);
  });

  it("tells exported names without a doc comment, and a README that is too long", async () => {
    verifies("DOC-01", "DOC-03");
    await write("src/index.ts", 'export { Thing, type Other } from "./thing.ts";\n');
    await write("src/thing.ts", "/** A thing. */\nexport class Thing {}\n\nexport interface Other {}\n");
    await write("README.md", "line\n".repeat(200));
    const { status, problems } = await check();
    expect(status).toBe(1);
    expect(problems).toEqual([
      "src/index.ts: Other (./thing.ts) has no doc comment",
      "README.md has 200 lines; at most 199 are read",
    ]);
  });
});
