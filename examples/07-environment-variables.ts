import assert from "node:assert/strict";
// #region import
import { ExecutionClient, ExecutionContainer } from "ipybox";
// #endregion

// #region usage
await using container = await ExecutionContainer.create({
  env: { API_KEY: "secret-key-123", DEBUG: "1" },
});
await using client = await ExecutionClient.connect({ port: container.port });

const result = await client.execute(`
import os

print(f"Using API key: {os.environ['API_KEY']}")
if os.environ.get("DEBUG"):
    print("Debug mode enabled")
`);
console.log(result.text);
// #endregion

assert.equal(result.text, "Using API key: secret-key-123\nDebug mode enabled");
