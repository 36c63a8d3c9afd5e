import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { acceptsNull, withoutAbsent } from "../../src/mcp/codegen/absent.ts";
import { assignIdentifiers, pythonIdentifier } from "../../src/mcp/codegen/identifiers.ts";
import { packageName, packageSources, toolModules } from "../../src/mcp/codegen/package-modules.ts";
import { toolModule } from "../../src/mcp/codegen/tool-module.ts";
import { verifies } from "../requirements.ts";

const tool = (inputSchema: object, rest: object = {}): Parameters<typeof toolModule>[1] => ({
  name: "find",
  inputSchema: inputSchema as Readonly<Record<string, unknown>>,
  ...rest,
});

describe("identifiers", () => {
  test.each([
    ["get-sum", "get_sum"],
    ["import", "import_"],
    ["ｉｍｐｏｒｔ", "import_"],
    ["2fa", "tool_2fa"],
    ["__init__", "init__"],
    ["", "tool"],
    ["/../..", "tool"],
    ["a.b/c d", "a_b_c_d"],
    ["größe", "größe"],
    ["搜索", "搜索"],
    ["😀", "tool"],
    ["x\u202ey", "x_y"],
    ["a\nimport os", "a_import_os"],
  ])("%j becomes %s", (text, identifier) => {
    verifies("MCP-01");
    expect(pythonIdentifier(text, "tool")).toBe(identifier);
  });

  test("are all different, and do not depend on the order", () => {
    verifies("MCP-01");
    const names = ["a-b", "a_b", "a.b", "a_b_2"];
    const assigned = assignIdentifiers(names, "tool");
    expect(Object.fromEntries(assigned)).toEqual({ a_b: "a_b", a_b_2: "a_b_2", "a-b": "a_b_3", "a.b": "a_b_4" });
    expect(Object.fromEntries(assignIdentifiers(names.reverse(), "tool"))).toEqual(Object.fromEntries(assigned));
  });

  test("are identifiers whatever the texts are", { timeout: 60_000 }, () => {
    verifies("MCP-01", "LIFE-05");
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" })), (texts) => {
        const assigned = [...assignIdentifiers(texts, "tool").values()];
        expect(assigned.every((name) => /^[\p{XID_Start}][\p{XID_Continue}]*$/u.test(name))).toBe(true);
        expect(new Set(assigned).size).toBe(new Set(texts).size);
      }),
      { numRuns: 10_000 },
    );
  });
});

describe("a tool's module", () => {
  test("has its parameters and its result as classes, and two functions", () => {
    verifies("MCP-01");
    const properties = {
      query: { type: "string", description: "What to look for.", minLength: 1 },
      from: { type: "integer", minimum: 0, default: 0 },
      kinds: { type: "array", items: { enum: ["file", "folder"] } },
      owner: { $ref: "#/$defs/person" },
    };
    const person = {
      type: "object",
      properties: { name: { type: "string" }, boss: { $ref: "#/$defs/person" } },
      required: ["name"],
    };
    const outputSchema = { type: "object", properties: { count: { type: "integer" } }, required: ["count"] };
    const inputSchema = { type: "object", properties, required: ["query"], $defs: { person } };
    expect(toolModule("mcp_tools.files.find", tool(inputSchema, { description: 'Finds "files".', outputSchema }))).toBe(
      `"""Finds \\"files\\"."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field
from ipybox_kernel.mcp import call_tool, call_tool_async


class Params(BaseModel, extra="forbid", populate_by_name=True):
    query: Annotated[str, Field(min_length=1)] = Field(description="What to look for.")
    from_: Annotated[int, Field(ge=0)] = Field(default=0, alias="from")
    kinds: list[Literal["file", "folder"]] | None = None
    owner: Person | None = None


class Person(BaseModel, extra="forbid"):
    name: str
    boss: Person | None = None


class Result(BaseModel, extra="allow"):
    count: int


def run(params: Params) -> Result:
    """Finds \\"files\\"."""
    return call_tool("mcp_tools.files.find", params, Result)


async def run_async(params: Params) -> Result:
    """Finds \\"files\\"."""
    return await call_tool_async("mcp_tools.files.find", params, Result)
`,
    );
  });

  test("takes no parameters where none is needed", () => {
    verifies("MCP-01");
    const source = toolModule("mcp_tools.x.find", tool({ type: "object", properties: {} }));
    expect(source).toContain("def run(params: Params | None = None) -> ToolResult:");
    expect(source).toContain('call_tool("mcp_tools.x.find", params or Params())');
  });

  test("stays small and soon done, however large the schema unfolds", () => {
    verifies("MCP-01", "LIFE-05");
    // Each level refers twice to the next: 2^40 parts.
    const $defs = Object.fromEntries(
      Array.from({ length: 40 }, (_, level) => {
        const next = { $ref: `#/$defs/l${level + 1}` };
        return [
          `l${level}`,
          {
            anyOf: [
              { type: "array", items: next },
              { type: "object", additionalProperties: next },
            ],
          },
        ];
      }),
    );
    const wide = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`property_${index}`, { type: "string" }]));
    let deep: object = { type: "string" };
    for (let level = 0; level < 20_000; level += 1) deep = { type: "object", properties: { p: deep } };
    for (const schema of [
      { type: "object", properties: { a: { $ref: "#/$defs/l0" } }, $defs },
      { type: "object", properties: wide },
      deep,
    ]) {
      expect(toolModule("mcp_tools.x.find", tool(schema)).length).toBeLessThanOrEqual(256 * 1024);
    }
  });
});

describe("a server's package", () => {
  test("has a module for each tool, under the server's name", () => {
    verifies("MCP-01");
    const modules = toolModules("my_files", [tool({}), tool({}, { name: "find-all" }), tool({}, { name: "find_all" })]);
    expect(modules.map(({ tool, module }) => [tool, module])).toEqual([
      ["find", "mcp_tools.my_files.find"],
      ["find-all", "mcp_tools.my_files.find_all_2"],
      ["find_all", "mcp_tools.my_files.find_all"],
    ]);
    const sources = packageSources("my-files", "my_files", modules);
    expect(Object.keys(sources)).toEqual(["mcp_tools", "mcp_tools.my_files", ...modules.map(({ module }) => module)]);
    expect(sources["mcp_tools.my_files"]).toContain('"find_all_2"');
  });

  test("has no name that is none, or the package's own", () => {
    verifies("MCP-01");
    expect(["my-files", "GitHub", "2fa", "---", "", "McpError", "ToolResult"].map(packageName)).toEqual([
      "my_files",
      "GitHub",
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe("arguments", () => {
  const schema = {
    type: "object",
    properties: {
      name: { type: "string" },
      needed: { type: "string" },
      nullable: { type: ["string", "null"] },
      union: { anyOf: [{ type: "string" }, { $ref: "#/$defs/none" }] },
      inner: { type: "object", properties: { name: { type: "string" } } },
      list: { type: "array", items: { type: "object", properties: { name: { type: "string" } } } },
      anything: {},
    },
    required: ["needed"],
    $defs: { none: { type: "null" } },
  };

  test("leave out what is None and can't be", () => {
    verifies("MCP-01");
    const none = { name: null, needed: null, nullable: null, union: null, anything: null, other: null };
    expect(withoutAbsent(schema, { ...none, inner: { name: null }, list: [{ name: null, x: null }] })).toEqual({
      ...{ needed: null, nullable: null, union: null, anything: null, other: null },
      ...{ inner: {}, list: [{ x: null }] },
    });
  });

  test("are judged in time, also by a schema that goes in circles", () => {
    verifies("MCP-01");
    const circle = { properties: { a: { $ref: "#/properties/a" }, b: { anyOf: [{ $ref: "#/properties/b" }] } } };
    expect(withoutAbsent(circle, { a: null, b: null })).toEqual({ a: null, b: null });
    expect(acceptsNull({}, false)).toBe(false);
  });
});
