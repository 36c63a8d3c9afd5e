import assert from "node:assert/strict";
// #region import
import { ExecutionClient, ExecutionContainer } from "ipybox";
// #endregion

await using container = await ExecutionContainer.create();
// #region usage
await using client = await ExecutionClient.connect({ port: container.port });

await client.set("samples", new Float64Array([3, 1, 2]));
await client.execute("ordered = sorted(samples)\nsummary = {'least': ordered[0], 'raw': bytes(3)}");

console.log(await client.get("ordered")); // [ 1, 2, 3 ]
console.log(await client.get("summary")); // { least: 1, raw: Uint8Array(3) [ 0, 0, 0 ] }
for (const { name, type, length } of await client.variables()) console.log(name, type, length);
// #endregion

assert.deepEqual(await client.get("ordered"), [1, 2, 3]);
assert.deepEqual(await client.get("summary"), { least: 1, raw: new Uint8Array(3) });
assert.deepEqual(
  (await client.variables()).map(({ name }) => name),
  ["ordered", "samples", "summary"],
);
