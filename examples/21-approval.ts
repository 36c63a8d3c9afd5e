import assert from "node:assert/strict";
// #region import
import { ExecutionClient, ExecutionContainer } from "ipybox";
import { z } from "zod";
// #endregion

await using container = await ExecutionContainer.create();

const asked: string[] = [];
// #region usage
await using client = await ExecutionClient.connect({
  port: container.port,
  approveShellCommands: true,
  onApproval: async ({ kind, name, input }) => {
    asked.push(`${kind} ${name} ${JSON.stringify(input)}`);
    if (kind === "shell") return { decision: "reject", reason: "no shell today" };
    const { amount } = input as { amount: number };
    return amount > 100 ? { decision: "accept", input: { amount: 100 } } : true;
  },
});

await client.expose({
  pay: { input: z.object({ amount: z.number() }), handler: ({ amount }) => `paid ${amount}` },
});

const result = await client.execute(`
from host import pay, ApprovalRejected

print(pay(5))
print(pay(5_000))
try:
    !rm -rf /
except ApprovalRejected as error:
    print(error)
`);
console.log(result.text);
// #endregion

assert.equal(result.text, 'paid 5\npaid 100\nThe command "rm -rf /" was rejected: no shell today');
assert.deepEqual(asked, ['function pay {"amount":5}', 'function pay {"amount":5000}', 'shell shell {"command":"rm -rf /"}']);
