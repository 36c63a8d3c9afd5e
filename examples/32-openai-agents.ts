import assert from "node:assert/strict";
import { setTracingDisabled } from "@openai/agents";
import { assistantMessage, functionCall, ScriptedModel } from "@openai/agents/testing";
// #region import
import { Agent, run } from "@openai/agents";
import { ExecutionClient, ExecutionContainer } from "ipybox";
import { pythonTool } from "ipybox/openai-agents";
// #endregion

const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const cells = [
  "numbers = [6, 7]\nnumbers[0] * numbers[1]",
  "numbers[0] / 0",
  `import base64; from IPython.display import Image; Image(data=base64.b64decode("${PNG}"))`,
];

// Stands in for a model, so that the example needs none: it asks for three cells, one after the other, and then answers.
const model = new ScriptedModel([
  ...cells.map((code, index) => [functionCall("python", { code }, { callId: String(index) })]),
  [assistantMessage("It is 42.")],
]);
setTracingDisabled(true);

// #region usage
await using container = await ExecutionContainer.create();
await using client = await ExecutionClient.connect({ port: container.port });

const agent = new Agent({
  name: "Calculator",
  instructions: "Compute with Python.",
  model,
  tools: [pythonTool(client, { timeoutMs: 60_000 })],
});
const result = await run(agent, "What is six times seven? Draw it, too.");
console.log(result.finalOutput); // It is 42.
// #endregion

assert.equal(result.finalOutput, "It is 42.");
const results = result.newItems.flatMap(({ rawItem }) =>
  rawItem?.type === "function_call_result" ? [JSON.stringify(rawItem.output)] : [],
);
assert.equal(results.length, 3);
assert.match(results[0] ?? "", /"42"/);
assert.match(results[1] ?? "", /ZeroDivisionError: division by zero"/);
assert.ok(results[2]?.includes(PNG));
