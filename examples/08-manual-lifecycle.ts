import assert from "node:assert/strict";
import { IpyboxError } from "ipybox";
// #region import
import { ExecutionClient, ExecutionContainer } from "ipybox";
// #endregion

// #region usage
const container = new ExecutionContainer({ port: 7777 });
await container.run();
try {
  const client = await ExecutionClient.connect({ port: 7777 });
  const result = await client.execute("print('some work')");
  console.log(result.text); // some work
  await client.disconnect();
} finally {
  await container.kill();
}
// #endregion

assert.throws(
  () => container.port,
  (error) => error instanceof IpyboxError && error.code === "invalid_state",
);
await assert.rejects(
  ExecutionClient.connect({ port: 7777, token: "any" }),
  (error) => error instanceof IpyboxError && error.code === "connect_failed",
);
