import assert from "node:assert/strict";
// #region import
import { ExecutionClient, ExecutionContainer } from "ipybox";
// #endregion

// #region usage
// A Docker daemon that accepts TCP connections on another host.
process.env.DOCKER_HOST ??= "tcp://192.168.94.50:2375";

await using container = await ExecutionContainer.create();
await using client = await ExecutionClient.connect({ host: container.host, port: container.port });

const result = await client.execute("16 ** 2");
console.log(`Output: ${result.text}`); // Output: 256
// #endregion

assert.equal(result.text, "256");
