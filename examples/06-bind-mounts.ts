import assert from "node:assert/strict";
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
// #region import
import { readFile, writeFile } from "node:fs/promises";
import { ExecutionClient, ExecutionContainer } from "ipybox";
// #endregion

// The relative host paths start here.
const directory = join(import.meta.dirname, "output/06-bind-mounts");
await rm(directory, { recursive: true, force: true });
await mkdir(join(directory, "data"), { recursive: true });
process.chdir(directory);

// #region usage
await writeFile("data/input.txt", "hello world");

await using container = await ExecutionContainer.create({
  binds: {
    "./data": "data:ro", // /app/data, read-only
    "./output": "output", // /app/output; made on the host if it is missing
  },
});
await using client = await ExecutionClient.connect({ port: container.port });

await client.execute(`
with open("data/input.txt") as file:
    text = file.read()

with open("output/result.txt", "w") as file:
    file.write(text.upper())
`);

console.log(await readFile("output/result.txt", "utf8")); // HELLO WORLD
// #endregion

assert.equal(await readFile("output/result.txt", "utf8"), "HELLO WORLD");
const { uid, gid } = await stat("output/result.txt");
const root = process.getuid?.() === 0;
assert.deepEqual([uid, gid], root ? [1000, 1000] : [process.getuid?.(), process.getgid?.()]);
