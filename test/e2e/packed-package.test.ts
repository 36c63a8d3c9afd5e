import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifies } from "../requirements.ts";
import { type Finished, RunningProcess } from "./cli.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The first example of the README. */
const EXAMPLE = /```ts\n([^]*?)```/.exec(readFileSync(join(ROOT, "README.md"), "utf8"))?.[1] ?? "";

const STRICT = { strict: true, module: "nodenext", moduleResolution: "nodenext", target: "es2022", noEmit: true };

let directory: string;
let packed: { readonly filename: string; readonly files: readonly { readonly path: string }[] };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ipybox-packed-"));
  // dist/ is what the other tests run, too: it is not built anew.
  const { stdout } = await npm(ROOT, "pack", "--ignore-scripts", "--json", "--pack-destination", directory);
  const [description] = JSON.parse(stdout) as (typeof packed)[];
  if (description === undefined) throw new Error("nothing was packed");
  packed = description;
  await writeFile(join(directory, "package.json"), '{ "private": true }');
  await writeFile(join(directory, "hello.mts"), EXAMPLE);
  const tools = ["typescript", "tsx", "@types/node"].map((name) => `${name}@${installedVersion(name)}`);
  await npm(directory, "install", "--no-audit", "--no-fund", `./${packed.filename}`, ...tools);
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe("the packed package", () => {
  it("has what runs and what the image is built of, and no more", () => {
    verifies("DOC-01");
    const paths = packed.files.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(["dist/index.js", "dist/index.d.ts", "dist/cli/main.js", "image/Dockerfile"]));
    expect(
      paths.filter((path) => !/^(dist|image|python\/ipybox_(kernel|network))\/|^(package\.json|[A-Z]+(\.md)?)$/.test(path)),
    ).toEqual([]);
    expect(paths.filter((path) => /\.pyc$|\.test\.|\.map$/.test(path))).toEqual([]);
  });

  it.each([
    {
      name: "with Node's types, and all declarations checked",
      options: { types: ["node"], lib: ["es2023", "esnext.disposable"] },
    },
    {
      name: "without them, as `tsc --init` sets it up",
      options: { types: [], lib: ["es2023", "dom", "esnext.disposable"], skipLibCheck: true },
    },
  ])("has types that fit a strict program $name", async ({ options }) => {
    verifies("DOC-01");
    const compilerOptions = { ...STRICT, ...options };
    await writeFile(join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.mts"] }));
    expect(await run(directory, "npx", ["tsc", "-p", "."])).toEqual({ status: 0, stdout: "", stderr: "" });
    await writeFile(join(directory, "wrong.mts"), EXAMPLE.replace("result.text", "result.texts"));
    const wrong = await run(directory, "npx", ["tsc", "-p", "."]);
    await rm(join(directory, "wrong.mts"));
    expect(wrong.status).not.toBe(0);
    expect(wrong.stdout).toContain("'texts'");
  });

  it("runs the first example of the README", async () => {
    verifies("DOC-01", "EXEC-01");
    const expected = { status: 0, stdout: "Output: Hello, world!\n", stderr: "" };
    expect(await run(directory, "npx", ["tsx", "hello.mts"])).toEqual(expected);
  });

  it("brings the command line", async () => {
    verifies("CLI-01");
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
    expect(await run(directory, "npx", ["ipybox", "--version"])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
    const { status, stdout } = await run(directory, "npx", ["ipybox", "run", "-"], "import sys\nprint(6 * 7)\nsys.exit(3)");
    expect([status, stdout]).toEqual([3, "42\n"]);
  });
});

async function npm(cwd: string, ...args: string[]): Promise<Finished> {
  const finished = await run(cwd, "npm", args);
  if (finished.status !== 0) throw new Error(`npm ${args.join(" ")} failed:\n${finished.stdout}${finished.stderr}`);
  return finished;
}

function run(cwd: string, command: string, args: readonly string[], input = ""): Promise<Finished> {
  return new RunningProcess(command, args, { cwd, env: { NO_UPDATE_NOTIFIER: "1" } }).end(input);
}

function installedVersion(name: string): string {
  const { version } = JSON.parse(readFileSync(join(ROOT, "node_modules", name, "package.json"), "utf8")) as { version: string };
  return version;
}
