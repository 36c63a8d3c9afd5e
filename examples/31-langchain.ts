import assert from "node:assert/strict";
import { AIMessage, type BaseMessage, HumanMessage } from "@langchain/core/messages";
import { fakeModel } from "@langchain/core/testing";
// #region import
import { ExecutionClient, ExecutionContainer } from "ipybox";
import { pythonTool } from "ipybox/langchain";
// #endregion

const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const cells = [
  "numbers = [6, 7]\nnumbers[0] * numbers[1]",
  "numbers[0] / 0",
  `import base64; from IPython.display import Image; Image(data=base64.b64decode("${PNG}"))`,
];

// Stands in for a model, so that the example needs none: it asks for three cells, one after the other, and then answers.
const model = fakeModel();
for (const code of cells) model.respondWithTools([{ name: "python", args: { code } }]);
model.respond(new AIMessage("It is 42."));

// #region usage
await using container = await ExecutionContainer.create();
await using client = await ExecutionClient.connect({ port: container.port });

const python = pythonTool(client, { timeoutMs: 60_000 });
const withTools = model.bindTools([python]);

const messages: BaseMessage[] = [new HumanMessage("What is six times seven? Draw it, too.")];
for (;;) {
  const answer = await withTools.invoke(messages);
  messages.push(answer);
  if (!AIMessage.isInstance(answer) || !answer.tool_calls?.length) break;
  for (const call of answer.tool_calls) messages.push(await python.invoke({ ...call, type: "tool_call" }));
}
console.log(messages.at(-1)?.text); // It is 42.
// #endregion

assert.equal(messages.at(-1)?.text, "It is 42.");
const results = messages.filter((message) => message.type === "tool").map(({ content }) => content);
assert.deepEqual(results[0], [{ type: "text", text: "42" }]);
assert.ok(JSON.stringify(results[1]).includes("ZeroDivisionError: division by zero"));
assert.deepEqual(results[2], [{ type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } }]);
