import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
// #region import
import { ExecutionClient, ExecutionContainer } from "ipybox";
// #endregion

const directory = await mkdtemp(join(tmpdir(), "ipybox-example-"));
process.chdir(directory);
await mkdir("data");
await writeFile("data/cities.csv", "city,people\nBern,133000\nGraz,302000\n");

await using container = await ExecutionContainer.create();
await using client = await ExecutionClient.connect({ port: container.port });
// #region usage
await client.files.uploadDirectory("data", "data");

await client.execute(`
import csv, json, os
rows = list(csv.DictReader(open("data/cities.csv")))
os.makedirs("results", exist_ok=True)
json.dump({"people": sum(int(row["people"]) for row in rows)}, open("results/total.json", "w"))
`);

const { files, bytes } = await client.files.downloadDirectory("results", "results", {
  onProgress: ({ bytes }) => console.log(`${bytes} bytes`),
});
console.log(`${files} file, ${bytes} bytes`); // 1 file, 18 bytes
// #endregion

// #region small
await client.files.write("notes/todo.txt", "first\n");
const text = await client.files.read("notes/todo.txt", { encoding: "utf8" });
for (const { path, type, sizeBytes } of await client.files.list("notes")) console.log(path, type, sizeBytes);
// #endregion

assert.equal(files, 1);
assert.equal(bytes, 18);
assert.equal(text, "first\n");
assert.equal(await readFile("results/total.json", "utf8"), '{"people": 435000}');
process.chdir("/");
await rm(directory, { recursive: true });
