import assert from "node:assert/strict";
// #region usage
import { ExecutionClient, ExecutionContainer } from "ipybox";

await using container = await ExecutionContainer.create();
await using client = await ExecutionClient.connect({ port: container.port });

const result = await client.execute("print('Hello, world!')");
console.log(`Output: ${result.text}`); // Output: Hello, world!
// #endregion

assert.equal(result.text, "Hello, world!");
