import assert from "node:assert/strict";
import { mock } from "node:test";
// #region import
import { ExecutionClient, ExecutionContainer, ExecutionError } from "ipybox";
// #endregion

const log = mock.method(console, "log");

// #region usage
await using container = await ExecutionContainer.create();

await using client1 = await ExecutionClient.connect({ port: container.port });
await client1.execute("x = 1");
const result = await client1.execute("print(x)");
console.log(result.text); // 1

await using client2 = await ExecutionClient.connect({ port: container.port });
try {
  await client2.execute("print(x)");
} catch (error) {
  if (!(error instanceof ExecutionError)) throw error;
  console.log(error.message); // NameError: name 'x' is not defined
}
// #endregion

const printed = log.mock.calls.map((call) => call.arguments.join(" "));
assert.deepEqual(printed, ["1", "NameError: name 'x' is not defined"]);
