import assert from "node:assert/strict";
import { mock } from "node:test";
// #region import
import { ExecutionClient, ExecutionContainer } from "ipybox";
// #endregion

const write = mock.method(process.stdout, "write");

// #region usage
await using container = await ExecutionContainer.create();
await using client = await ExecutionClient.connect({ port: container.port });

const execution = client.submit("!pip install einops");
for await (const chunk of execution.stream()) {
  process.stdout.write(chunk); // Collecting einops …
}

const result = await client.execute(`
import einops
print(einops.__version__)
`);
console.log(`Output: ${result.text}`); // Output: 0.8.1
// #endregion

const printed = write.mock.calls.map((call) => String(call.arguments[0])).join("");
const installed = /^Successfully installed einops-(.+)$/m.exec(printed)?.[1];
assert.match(printed, /^Collecting einops$/m);
assert.ok(printed.endsWith(`Output: ${installed}\n`));
