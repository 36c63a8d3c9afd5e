import assert from "node:assert/strict";
import { MockLanguageModelV4 } from "ai/test";
// #region import
import { generateText, stepCountIs } from "ai";
import { ExecutionClient, ExecutionContainer } from "ipybox";
import { pythonTool } from "ipybox/ai-sdk";
// #endregion

const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const cells = [
  "numbers = [6, 7]\nprint('multiplying')\nnumbers[0] * numbers[1]",
  "numbers[0] / 0",
  `import base64; from IPython.display import Image; Image(data=base64.b64decode("${PNG}"))`,
];

// Stands in for a model, so that the example needs none: it asks for three cells, one after the other, and then answers.
const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};
const model = new MockLanguageModelV4({
  doGenerate: [
    ...cells.map((code, index) => ({
      content: [{ type: "tool-call" as const, toolCallId: String(index), toolName: "python", input: JSON.stringify({ code }) }],
      finishReason: { unified: "tool-calls" as const, raw: undefined },
      usage,
      warnings: [],
    })),
    {
      content: [{ type: "text", text: "It is 42." }],
      finishReason: { unified: "stop", raw: undefined },
      usage,
      warnings: [],
    },
  ],
});

// #region usage
await using container = await ExecutionContainer.create();
await using client = await ExecutionClient.connect({ port: container.port });

const { text } = await generateText({
  model,
  prompt: "What is six times seven? Draw it, too.",
  tools: { python: pythonTool(client, { timeoutMs: 60_000 }) },
  stopWhen: stepCountIs(10),
});
console.log(text); // It is 42.
// #endregion

assert.equal(text, "It is 42.");
// What the model was given after each cell.
const given = model.doGenerateCalls.slice(1).map(({ prompt }) => prompt.at(-1)?.content.at(0));
const outputs = given.map((part) => {
  assert.ok(typeof part === "object" && part.type === "tool-result" && part.output.type === "content");
  return part.output.value;
});
assert.deepEqual(outputs[0], [{ type: "text", text: "multiplying\n42" }]);
const [failure] = outputs[1] ?? [];
assert.ok(failure?.type === "text" && failure.text.endsWith("ZeroDivisionError: division by zero"));
const [image] = outputs[2] ?? [];
assert.ok(image?.type === "file" && image.mediaType === "image/png");
assert.deepEqual(image.data, { type: "data", data: PNG });
