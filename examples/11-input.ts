import assert from "node:assert/strict";
// #region import
import { ExecutionClient, ExecutionContainer } from "ipybox";
// #endregion

await using container = await ExecutionContainer.create();
// #region usage
await using client = await ExecutionClient.connect({
  port: container.port,
  onInput: async (prompt, { password }) => (password ? "correct horse" : `the answer to ${JSON.stringify(prompt)}`),
});

const result = await client.execute(`
from getpass import getpass

name = input("Who is there? ")
word = getpass("Password: ")
print(name, "-", len(word), "characters")
`);
console.log(result.text);
// #endregion

assert.equal(result.text, 'the answer to "Who is there? " - 13 characters');
