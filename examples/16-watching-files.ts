import assert from "node:assert/strict";
// #region import
import { ExecutionClient, ExecutionContainer } from "ipybox";
// #endregion

const seen: string[] = [];
await using container = await ExecutionContainer.create();
// #region usage
await using client = await ExecutionClient.connect({ port: container.port });
await client.files.mkdir("reports");
await using watch = client.files.watch("reports");
await watch.ready;

const execution = client.submit(`
for month in ("january", "february"):
    with open(f"reports/{month}.txt", "w") as report:
        report.write(f"All went well in {month}.")
`);

for await (const { type, path } of watch) {
  console.log(type, path);
  seen.push(`${type} ${path}`);
  if (type === "changed" && path === "reports/february.txt") break;
}
await execution.result();
console.log(await client.files.read("reports/february.txt", { encoding: "utf8" }));
// #endregion

assert.deepEqual(seen, [
  "created reports/january.txt",
  "changed reports/january.txt",
  "created reports/february.txt",
  "changed reports/february.txt",
]);
