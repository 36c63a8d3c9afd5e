import assert from "node:assert/strict";
// #region import
import { ExecutionClient, ExecutionContainer, ExecutionError } from "ipybox";
// #endregion

// #region usage
await using container = await ExecutionContainer.create();
await using client = await ExecutionClient.connect({ port: container.port });

// State that took long to get to.
await client.execute(`
prices = {"apple": "1.20", "pear": "0,80", "plum": None}
`);

// Three ideas for mending the next step. Each is tried on a fork of its own.
const fixes = [
  `total = sum(float(price) for price in prices.values())`,
  `total = sum(float(price.replace(",", ".")) for price in prices.values())`,
  `total = sum(float(price.replace(",", ".")) for price in prices.values() if price)`,
];
const forks = await client.fork({ count: fixes.length });

let kept: ExecutionClient | undefined;
for (const [index, fork] of forks.entries()) {
  try {
    await fork.execute(fixes[index] ?? "");
    kept = fork;
    console.log(`Fix ${index + 1} works`);
  } catch (error) {
    if (!(error instanceof ExecutionError)) throw error;
    console.log(`Fix ${index + 1} fails: ${error.message}`);
    await fork.disconnect();
  }
}

const total = await kept?.execute("print(f'{total:.2f}')");
console.log(`Total: ${total?.text}`);
// #endregion

assert.equal(total?.text, "2.00");
assert.equal(kept, forks[2]);
// The kernel that was forked has seen nothing of it.
assert.equal((await client.execute("'total' in globals()")).text, "False");
await kept?.disconnect();
