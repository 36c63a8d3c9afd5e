import assert from "node:assert/strict";
// #region import
import { ExecutionClient, ExecutionContainer } from "ipybox";
// #endregion

await using container = await ExecutionContainer.create();
const { port } = container;
// #region usage
await using owner = await ExecutionClient.connect({ port });
const execution = owner.submit(`
import time
for step in range(5):
    print("step", step)
    time.sleep(0.2)
`);

// In another process, these two ids and the port are all that is needed.
await using reader = await ExecutionClient.attach({ port, kernelId: owner.kernelId });
let output = "";
for await (const chunk of reader.executionById(execution.id).stream()) output += chunk;
console.log(output);
// #endregion

assert.equal(output, "step 0\nstep 1\nstep 2\nstep 3\nstep 4\n");
assert.equal((await execution.result()).stdout, output);
