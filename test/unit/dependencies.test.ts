import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readRequirements } from "../../src/dependencies.ts";
import { verifies } from "../requirements.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ipybox-dependencies-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function read(name: string, content: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return readRequirements(path);
}

test("a requirements.txt is taken as it is", async () => {
  verifies("IMG-01");
  expect(await read("requirements.txt", "einops>=0.8 # shapes\n")).toBe("einops>=0.8 # shapes\n");
});

test("of a pyproject.toml the project's dependencies are taken", async () => {
  verifies("IMG-01");
  const toml = '[project]\nname = "x"\ndependencies = [\n  "einops>=0.8",\n  "numpy; python_version > \'3.9\'",\n]\n';
  expect(await read("pyproject.toml", toml)).toBe("einops>=0.8\nnumpy; python_version > '3.9'\n");
});

test.each([
  ["[project]\nname = 'x'\n", /has no "dependencies" in its \[project\] table/],
  ["[tool.poetry.dependencies]\nnumpy = '*'\n", /only in \[tool.poetry.dependencies\].*List them under \[project\]/],
  ["[project]\ndependencies = 'numpy'\n", /must be an array of strings/],
  ["[project\n", /is no valid TOML/],
])("the pyproject.toml %j is refused with the reason", async (toml, message) => {
  verifies("IMG-05");
  await expect(read("pyproject.toml", toml)).rejects.toThrow(message);
});

test("a file that is not there is an error that names it", async () => {
  verifies("IMG-05");
  await expect(readRequirements(join(directory, "none.txt"))).rejects.toThrow(/none\.txt can't be read/);
});
