import assert from "node:assert/strict";
import { mock } from "node:test";
// #region import
import { ExecutionClient, ExecutionContainer } from "ipybox";
// #endregion

const { log } = console;
const printed: { readonly line: string; readonly at: number }[] = [];
mock.method(console, "log", (line: string) => {
  printed.push({ line, at: performance.now() });
  log(line);
});

// #region usage
await using container = await ExecutionContainer.create();
await using client = await ExecutionClient.connect({ port: container.port });

const execution = client.submit(`
import time

for i in range(5):
    print(f"Processing step {i}")
    time.sleep(1)
`);

for await (const chunk of execution.stream()) {
  console.log(`Received output: ${chunk.trimEnd()}`);
}

const result = await execution.result();
console.log(`Aggregated output:\n${result.text}`);
// #endregion

const steps = [0, 1, 2, 3, 4].map((step) => `Processing step ${step}`);
assert.deepEqual(
  printed.map(({ line }) => line),
  [...steps.map((step) => `Received output: ${step}`), `Aggregated output:\n${steps.join("\n")}`],
);
// Each line came when it was printed, not all at the end; how late, is up to the machine.
const [first, , , , last] = printed;
assert.ok(first !== undefined && last !== undefined && last.at - first.at > 1_000);
