import fc from "fast-check";
import type { ToolDefinition } from "../../../src/mcp/codegen/tool-module.ts";

const HARM = "open('/tmp/injected', 'w')";

/** Texts that would break out of a source that takes them as they are, or mean something to Python or Pydantic. */
export const HOSTILE: readonly string[] = [
  ...[`"""\n${HARM}\n"""`, `'''\n${HARM}\n'''`, `"); ${HARM} #`, `\\"); ${HARM} #`, `x\n${HARM}`, `x\r${HARM}`, `x\u2028${HARM}`],
  ...[`\\`, `\\\n`, `"`, `""`, `"""`, `a"""`, `\\"""`, `{${HARM}}`, `%(x)s`, `\\N{BULLET}`, `\\x00`, `# -*- coding: utf-7 -*-`],
  ...[`x: ${HARM}`, `x = ${HARM}`, `Field(default=${HARM})`, `]; ${HARM}; x[`, `lambda: ${HARM}`],
  ...[
    "\0",
    "\x1b[2J",
    "\u202e",
    "\u2066",
    "\ufeff",
    "\ud800",
    "\udfff\ud800",
    "😀",
    "e\u0301",
    "ﬁ",
    "ｉｍｐｏｒｔ",
    "搜索",
    " ",
    "",
    "\t",
    "-",
  ],
  ...[
    "class",
    "None",
    "def",
    "self",
    "cls",
    "type",
    "print",
    "Any",
    "str",
    "list",
    "dict",
    "Field",
    "BaseModel",
    "Literal",
    "dt",
    "int",
  ],
  ...[
    "Params",
    "Result",
    "run",
    "run_async",
    "call_tool",
    "ToolResult",
    "root",
    "Config",
    "json",
    "copy",
    "schema",
    "model_config",
  ],
  ...[
    "model_fields",
    "model_dump",
    "model_name",
    "validate",
    "__init__",
    "__class__",
    "__proto__",
    "constructor",
    "_private",
    "__slots__",
  ],
  ...[
    "a-b",
    "a_b",
    "a.b",
    "A_B",
    "1",
    "1a",
    "x".repeat(5_000),
    "../../etc/passwd",
    "a/b",
    "~0~1",
    "%00",
    "hasOwnProperty",
    "toString",
  ],
];

const name = fc.oneof(
  fc.constantFrom(...HOSTILE.filter((text) => text.length < 100)),
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom("a", "b", "c"),
);
const number = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, -1, 1e308, -0, 0.5, 2 ** 60));
const reference = fc.oneof(
  name.map((one) => `#/$defs/${one}`),
  fc.constantFrom("#", "#/$defs/a", "#/$defs/b", "#/properties/a", "http://example.org/schema", "#/$defs"),
);
const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>;

const { schema } = fc.letrec((tie) => {
  const some = { requiredKeys: [] as [] };
  return {
    schema: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.oneof(
        fc.boolean(),
        json,
        reference.map(($ref) => ({ $ref })),
        fc.constantFrom({}, { type: "string" }, { type: "null" }),
      ),
      tie("object"),
      tie("scalar"),
      tie("union"),
      tie("array"),
    ),
    scalar: fc.record(
      {
        type: fc.oneof(
          fc.constantFrom("string", "integer", "number", "boolean", "null", "array", "object"),
          fc.array(fc.constantFrom("string", "null", "integer", "array", "object"), { maxLength: 3 }),
          name,
        ),
        enum: fc.oneof(fc.array(json, { maxLength: 4 }), json),
        const: json,
        default: json,
        minimum: number,
        maximum: number,
        exclusiveMinimum: fc.oneof(number, fc.boolean()),
        multipleOf: number,
        minLength: number,
        maxLength: number,
        pattern: name,
        format: fc.oneof(fc.constantFrom("date-time", "date", "uuid", "toString"), name),
        description: name,
        nullable: fc.boolean(),
      },
      some,
    ),
    object: fc.record(
      {
        type: fc.constantFrom("object", ["object", "null"]),
        properties: fc.dictionary(name, tie("schema"), { maxKeys: 5 }),
        required: fc.oneof(fc.array(name, { maxLength: 3 }), json),
        additionalProperties: tie("schema"),
        description: name,
        default: json,
        $defs: fc.dictionary(fc.oneof(fc.constantFrom("a", "b"), name), tie("schema"), { maxKeys: 3 }),
      },
      { requiredKeys: ["properties"] },
    ),
    union: fc.record(
      {
        anyOf: fc.array(tie("schema"), { maxLength: 3 }),
        oneOf: fc.array(tie("schema"), { maxLength: 3 }),
        allOf: fc.array(tie("schema"), { maxLength: 3 }),
        description: name,
      },
      some,
    ),
    array: fc.record(
      {
        type: fc.constant("array"),
        items: fc.oneof(tie("schema"), fc.array(tie("schema"), { maxLength: 2 })),
        prefixItems: fc.array(tie("schema"), { maxLength: 2 }),
        minItems: number,
        maxItems: number,
      },
      { requiredKeys: ["type"] },
    ),
  };
});

/** Tools with schemas of all kinds, most of them nonsense. */
export const anyTool: fc.Arbitrary<ToolDefinition> = fc.record({
  name,
  description: name,
  inputSchema: schema as fc.Arbitrary<never>,
  outputSchema: schema as fc.Arbitrary<never>,
});
