import assert from "node:assert/strict";
// #region import
import { ExecutionClient, ExecutionContainer } from "ipybox";
import { z } from "zod";
// #endregion

const documents = ["Cats sleep.", "Dogs bark.", "Cats and dogs."];

await using container = await ExecutionContainer.create();
await using client = await ExecutionClient.connect({ port: container.port });

// #region usage
await client.expose({
  search: {
    description: "Finds documents that contain a text.",
    input: z.object({
      query: z.string().describe("What to look for."),
      limit: z.int().min(1).default(10).describe("How many documents at most."),
    }),
    output: z.array(z.string()),
    handler: ({ query, limit }) => documents.filter((text) => text.includes(query)).slice(0, limit),
  },
});

const result = await client.execute(`
from host import search

for text in search("Cats", limit=1):
    print(text)
`);
console.log(result.text);
// #endregion

assert.equal(result.text, "Cats sleep.");

// #region async
const counts = await client.execute(`
import asyncio
from host.aio import search

found = await asyncio.gather(*(search(query) for query in ["Cats", "Dogs", "Birds"]))
print([len(texts) for texts in found])
`);
console.log(counts.text); // [2, 1, 0]
// #endregion

assert.equal(counts.text, "[2, 1, 0]");

// #region signature
const { text } = await client.execute("help(search)");
// #endregion

assert.match(text ?? "", /search\(query: str, limit: int = 10\) -> list\[str\]/);

// #region errors
await client.expose({
  divide: {
    input: { type: "object", properties: { a: { type: "number" }, b: { type: "number" } }, required: ["a", "b"] },
    handler: ({ a, b }) => {
      if (b === 0) throw new RangeError("b must not be 0");
      return Number(a) / Number(b);
    },
  },
});

const caught = await client.execute(`
from host import divide, HostError, HostInputError

for arguments in [(1, 0), (1, "x")]:
    try:
        divide(*arguments)
    except HostInputError as error:
        print("arguments:", error)
    except HostError as error:
        print(error.name, "-", error)
`);
console.log(caught.text);
// #endregion

assert.equal(caught.text, 'RangeError - b must not be 0\narguments: divide: "b": must be number');
