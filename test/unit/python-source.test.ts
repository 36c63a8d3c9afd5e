import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isPythonName, pythonDocstring, pythonLiteral, pythonName, pythonString } from "../../src/host/python-literal.ts";
import { hostModules } from "../../src/host/python-source.ts";
import { pythonType } from "../../src/host/python-type.ts";
import { verifies } from "../requirements.ts";

/** What Python reads in the body of a literal of ours: it has no escapes but these. */
function read(body: string): string {
  return body.replace(/\\(?:n|t|"|\\|u([0-9a-f]{4})|U([0-9a-f]{8}))/g, (escape, short?: string, long?: string) => {
    const code = short ?? long;
    if (code !== undefined) return String.fromCodePoint(Number.parseInt(code, 16));
    return { "\\n": "\n", "\\t": "\t", '\\"': '"', "\\\\": "\\" }[escape] as string;
  });
}

const anyText = fc.string({ unit: "binary", maxLength: 40 });

describe("texts in Python", () => {
  test("come back as they were, on one line, and nothing in them ends the literal", () => {
    verifies("HOST-01");
    fc.assert(
      fc.property(anyText, (text) => {
        const literal = pythonString(text);
        expect(literal).toMatch(/^"(?:[^"\\\p{C}\p{Zl}\p{Zp}]|\\[nt"\\]|\\u[0-9a-f]{4}|\\U[0-9a-f]{8})*"$/u);
        expect(read(literal.slice(1, -1))).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });

  test("have no quotation mark that is not escaped in documentation either", () => {
    verifies("HOST-01");
    fc.assert(
      fc.property(anyText, (text) => {
        const inner = pythonDocstring(text, "    ").slice(3, -3);
        expect(inner.replace(/\\./g, "")).not.toMatch(/["\\]/);
        expect(inner).not.toMatch(/[^\P{C}\n]/u);
      }),
      { numRuns: 2_000 },
    );
  });
});

test("values are written as Python does", () => {
  verifies("HOST-01");
  expect(pythonLiteral({ a: [1, -1.5, true, false, null, "x", 10n ** 20n], "b\n": Number.NaN, c: -Infinity })).toBe(
    '{"a": [1, -1.5, True, False, None, "x", 100000000000000000000], "b\\n": float("NaN"), "c": float("-inf")}',
  );
});

test("names are made of anything, and never twice the same", () => {
  verifies("HOST-01");
  const taken = new Set<string>();
  const names = ["limit", "max-results", "class", "2nd", "é", "", "a b", "a_b", "日本", "class_"].map((key) => {
    const name = pythonName(key, taken);
    taken.add(name);
    return name;
  });
  expect(names).toEqual(["limit", "max_results", "class_", "_2nd", "e", "_", "a_b", "a_b_2", "__2", "class__2"]);
  expect(names.every(isPythonName)).toBe(true);
  fc.assert(fc.property(anyText, (text) => isPythonName(pythonName(text, taken)) && !taken.has(pythonName(text, taken))));
});

test.each([
  [{ type: "string" }, "str"],
  [{ type: ["integer", "null"] }, "int | None"],
  [{ type: "array", items: { type: "number" } }, "list[float]"],
  [{ type: "array" }, "list[_Any]"],
  [{ type: "object", properties: {} }, "dict[str, _Any]"],
  [{ type: "object", additionalProperties: { type: "boolean" } }, "dict[str, bool]"],
  [{ enum: ["a", 1, null] }, '_Literal["a", 1] | None'],
  [{ const: true }, "_Literal[True]"],
  [{ enum: [1.5] }, "_Any"],
  [{ anyOf: [{ type: "null" }, { type: "string" }, { type: "string" }] }, "str | None"],
  [{ oneOf: [{ type: "string" }, {}] }, "_Any"],
  [{ allOf: [{ $ref: "#/$defs/a~1b" }], $defs: { "a/b": { type: "boolean" } } }, "bool"],
  [{ $ref: "#" }, "_Any"],
  [{ $ref: "#/nowhere" }, "_Any"],
  [{ $ref: "#/%E0%A4%A" }, "_Any"],
  [{ $ref: "https://example.com/schema" }, "_Any"],
  [{ $ref: "#/__proto__/x" }, "_Any"],
  [{}, "_Any"],
  [true, "_Any"],
])("%j is hinted as %s", (schema, hint) => {
  verifies("HOST-01");
  expect(pythonType(schema, schema as never)).toBe(hint);
});

test("a module has each function once as it is to be called, and once to be awaited", () => {
  verifies("HOST-01");
  const input = {
    type: "object",
    properties: { q: { type: "string", description: "What.\nReally." }, "top-k": { type: "integer" }, n: { default: 3 } },
    required: ["q"],
  };
  const modules = hostModules([{ name: "find", description: "Finds.", input, output: undefined }]);
  expect(Object.keys(modules)).toEqual(["host", "host.aio"]);
  expect(modules["host"]).toContain(
    'def find(q: str, top_k: int | None = None, n: _Any = 3) -> _Any:\n    """Finds.\n    \n    Args:\n        q: What. Really.\n    """\n' +
      '    return _call("find", {"q": q, "n": n, **_given({"top-k": top_k})})\n',
  );
  expect(modules["host.aio"]).toContain("async def find(");
  expect(modules["host.aio"]).toContain("return await _call(");
});
