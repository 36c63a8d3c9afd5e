import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { pythonIdentifier } from "../../src/mcp/codegen/identifiers.ts";
import { type ToolDefinition, toolModule } from "../../src/mcp/codegen/tool-module.ts";
import { verifies } from "../requirements.ts";
import { anyTool, HOSTILE } from "./mcp/hostile.ts";
import { objections } from "./mcp/generated.ts";
import { useContainer } from "./sandbox.ts";

const sandbox = useContainer();

const source = (tool: Partial<ToolDefinition>): string =>
  toolModule("mcp_tools.server.tool", { name: "tool", inputSchema: { type: "object" }, ...tool });

describe("what is generated for hostile tools", () => {
  it("compiles, and is nothing but classes and two functions", async () => {
    verifies("MCP-01");
    const tools = HOSTILE.flatMap((text): Partial<ToolDefinition>[] => {
      const leaf = {
        type: "string",
        description: text,
        enum: [text, `${text}${text}`],
        default: text,
        title: text,
        format: text,
      };
      const object = { type: "object", description: text, properties: { [text]: leaf, plain: { $ref: `#/$defs/${text}` } } };
      const inputSchema = { ...object, required: [text], $defs: { [text]: object }, default: { [text]: [text] } };
      return [
        { name: text, description: text },
        { inputSchema },
        { inputSchema: { type: "object", properties: { a: { const: text } } }, outputSchema: inputSchema },
        { inputSchema: { type: text, properties: { a: { type: text } }, required: [text] } },
      ];
    });
    await using client = await sandbox.connect();
    expect(await objections(client, tools.map(source))).toEqual({});
    expect((await client.execute("import os; os.path.exists('/tmp/injected')")).text).toBe("False");
  });

  it("would do harm if it did not hold (the check itself)", async () => {
    verifies("MCP-01");
    await using client = await sandbox.connect();
    const sound = source({});
    const harmful = [
      sound,
      `${sound}\nopen('/tmp/injected', 'w')\n`,
      sound.replace("class Params", "import os\nclass Params"),
      sound.replace("    pass", "    x: int = __import__('os').getpid()"),
      sound.replace("    pass", "    x: int = Field(default=().__class__)"),
      sound.replace("class Params", "@print\nclass Params"),
      sound.replace("def run(", "def run(("),
    ];
    expect(Object.keys(await objections(client, harmful))).toEqual(["1", "2", "3", "4", "5", "6"]);
  });

  it("compiles and loads for any schema, sensible or not", async () => {
    verifies("MCP-01", "LIFE-05");
    await using client = await sandbox.connect();
    const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
    const sources = fc.sample(anyTool, { numRuns: 600, seed }).map(source);
    const found = await objections(client, sources);
    const [first] = Object.entries(found);
    expect(first, `SEED=${seed}: ${first?.[1]}\n${sources[Number(first?.[0])]}`).toBeUndefined();
  });

  it("keeps names as the server has them", async () => {
    verifies("MCP-01");
    const names = HOSTILE.filter((name) => !/[\ud800-\udfff]/u.test(name));
    const properties = Object.fromEntries(names.map((name) => [name, { type: "string" }]));
    await using client = await sandbox.connect();
    expect(await objections(client, [source({ inputSchema: { type: "object", properties } })])).toEqual({});
    await client.set("names", names);
    const code = "Params = sys.modules['generated_0'].Params\nPARAMS = Params(**{name: name for name in names})";
    await client.execute(code);
    await client.execute("dumped = PARAMS.model_dump(mode='json', by_alias=True, exclude_unset=True)");
    expect(await client.get("dumped")).toEqual(Object.fromEntries(names.map((name) => [name, name])));
    // Python's own spelling is taken as well.
    expect(await client.execute(`Params(${pythonIdentifier("class", "field")}="x").class_`)).toMatchObject({ text: "'x'" });
  });
});

describe("Params", () => {
  const object = (properties: object, rest: object = {}): object => ({ type: "object", properties, ...rest });
  /** Schema; values that fit, each with what is sent; values that don't. */
  const cases: readonly (readonly [string, object, readonly (readonly [string, unknown])[], readonly string[]])[] = [
    [
      "texts",
      object({ a: { type: "string", minLength: 2, maxLength: 3 } }),
      [["a='ab'", { a: "ab" }]],
      ["a='a'", "a='abcd'", "a=5"],
    ],
    [
      "numbers",
      object({ a: { type: "integer", minimum: 0.5, exclusiveMaximum: 10, multipleOf: 3 }, b: { type: "number", maximum: 1.5 } }),
      [
        ["a=9", { a: 9 }],
        ["b=1.5", { b: 1.5 }],
        ["b=1", { b: 1 }],
      ],
      ["a=0", "a=10", "a=4", "a=1.5", "b=1.6", "b='x'"],
    ],
    [
      "bounds of an older draft",
      object({ a: { type: "number", minimum: 1, exclusiveMinimum: true, maximum: 3, exclusiveMaximum: false } }),
      [["a=3", { a: 3 }]],
      ["a=1", "a=3.5"],
    ],
    [
      "enums and constants",
      object({ a: { enum: ["x", 1, null] }, b: { const: true } }),
      [["a=None, b=True", { a: null, b: true }]],
      ["a='y'", "b=False"],
    ],
    [
      "lists",
      object({ a: { type: "array", items: { type: "integer" }, maxItems: 2 } }),
      [["a=[1, 2]", { a: [1, 2] }]],
      ["a=['x']", "a=[1, 2, 3]"],
    ],
    [
      "tuples",
      object({ a: { type: "array", prefixItems: [{ type: "string" }, { type: "integer" }], items: false, minItems: 2 } }),
      [["a=('x', 1)", { a: ["x", 1] }]],
      ["a=('x',)", "a=(1, 'x')"],
    ],
    [
      "maps",
      object({ a: { type: "object", additionalProperties: { type: "integer" } } }),
      [["a={'x': 1}", { a: { x: 1 } }]],
      ["a={'x': 'y'}"],
    ],
    [
      "unions",
      object({ a: { anyOf: [{ type: "integer" }, { type: "array", items: { type: "string" } }, { type: "null" }] } }),
      [
        ["a=1", { a: 1 }],
        ["a=['x']", { a: ["x"] }],
        ["a=None", { a: null }],
      ],
      ["a='x'", "a=[1]"],
    ],
    [
      "objects within objects, and allOf",
      object(
        { a: { allOf: [{ $ref: "#/$defs/base" }, object({ y: { type: "integer" } }, { required: ["y"] })] } },
        {
          $defs: { base: object({ x: { type: "integer" } }) },
        },
      ),
      [["a={'x': 1, 'y': 2}", { a: { x: 1, y: 2 } }]],
      ["a={'x': 1}", "a={'y': 1, 'z': 1}"],
    ],
    [
      "objects that contain themselves",
      object(
        { tree: { $ref: "#/$defs/node" } },
        { $defs: { node: object({ value: { type: "integer" }, children: { type: "array", items: { $ref: "#/$defs/node" } } }) } },
      ),
      [["tree={'value': 1, 'children': [{'value': 2}]}", { tree: { value: 1, children: [{ value: 2 }] } }]],
      ["tree={'children': [{'value': 'x'}]}"],
    ],
    [
      "dates",
      object({ a: { type: "string", format: "date-time" } }),
      [
        ["a='2024-02-29T00:00:00Z'", { a: "2024-02-29T00:00:00Z" }],
        ["a=__import__('datetime').datetime(2024, 2, 29)", { a: "2024-02-29T00:00:00" }],
      ],
      ["a=[]"],
    ],
    ["what is not named", object({ a: {} }), [["a=[1, {}]", { a: [1, {}] }]], ["b=1"]],
    ["what is not named, but allowed", object({ a: {} }, { additionalProperties: true }), [["b=1", { b: 1 }]], []],
    [
      "what is required",
      object({ a: { type: "string", default: "x" } }, { required: ["a", "b"] }),
      [["a='y', b=1", { a: "y", b: 1 }]],
      ["a='y'", "b=1"],
    ],
    ["defaults, which are the server's", object({ a: { type: "integer", default: 5 }, b: { type: "string" } }), [["", {}]], []],
  ];
  let client: Awaited<ReturnType<typeof sandbox.connect>>;
  beforeAll(async () => {
    client = await sandbox.connect();
    const sources = cases.map(([, inputSchema]) => source({ inputSchema: inputSchema as never }));
    expect(await objections(client, sources)).toEqual({});
    return () => client.disconnect();
  });

  const numbered = cases.map(([name, , fitting, wrong], index) => [name, index, fitting, wrong] as const);
  it.each(numbered)("know %s", async (_, index, fitting, wrong) => {
    verifies("MCP-01");
    await client.execute(`Params = sys.modules["generated_${index}"].Params`);
    for (const [given, sent] of fitting) {
      await client.execute(`sent = Params(${given}).model_dump(mode="json", by_alias=True, exclude_unset=True)`);
      expect(await client.get("sent")).toEqual(sent);
    }
    for (const given of wrong) await expect(client.execute(`Params(${given})`)).rejects.toThrow("ValidationError");
  });
});
