import assert from "node:assert/strict";
// #region import
import { ExecutionClient, ExecutionContainer } from "ipybox";
// #endregion

await using container = await ExecutionContainer.create();
await using client = await ExecutionClient.connect({ port: container.port });
await client.execute("%pip install -q pandas");
// #region usage
const execution = client.submit(
  `
import pandas as pd
from IPython.display import Markdown, display

progress = display("0 %", display_id="progress")
progress.update("100 %")
display(Markdown("# Report"))
pd.DataFrame({"city": ["Bern", "Graz"], "people": [133_000, 302_000]})
`,
  { tables: "rows" },
);

for await (const event of execution.events()) console.log(event.type);

for (const output of (await execution.result()).outputs) {
  if (output.kind === "display" || output.kind === "result") console.log(output.kind, Object.keys(output.data));
}
// #endregion

const { outputs } = await execution.result();
assert.equal(outputs.length, 3);
assert.deepEqual(outputs[0], { kind: "display", data: { "text/plain": "'100 %'" }, metadata: {} });
const table = outputs[2];
assert.ok(table?.kind === "result");
assert.deepEqual(table.data["application/vnd.dataresource+json"], {
  schema: { fields: [{ name: "city" }, { name: "people" }] },
  data: [
    { city: "Bern", people: 133_000 },
    { city: "Graz", people: 302_000 },
  ],
});
