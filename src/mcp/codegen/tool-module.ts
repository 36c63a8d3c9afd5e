import { Names, pythonIdentifier } from "./identifiers.ts";
import { entriesOf, isObject, type JsonSchema } from "./json-schema.ts";
import { pythonDocstring, pythonLiteral } from "../../host/python-literal.ts";
import { shortened } from "./models.ts";
import { RESERVED_CLASSES } from "./reserved-names.ts";
import { SchemaTypes } from "./types.ts";

/** A larger module says less than none: then its parameters are any. */
const MAX_SOURCE_LENGTH = 256 * 1024;

/** A tool as an MCP server lists it. */
export interface ToolDefinition {
  readonly name: string;
  readonly description?: string | undefined;
  readonly inputSchema: JsonSchema;
  readonly outputSchema?: JsonSchema | undefined;
}

/**
 * The source of a tool's Python module: `Params`, `Result` when the tool says what it gives, `run` and `run_async`.
 * `callName` is what the host knows the tool by.
 */
export function toolModule(callName: string, tool: ToolDefinition): string {
  try {
    const source = write(callName, tool);
    if (source.length <= MAX_SOURCE_LENGTH) return source;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // nested too deep for the stack
  }
  return write(callName, { ...tool, inputSchema: { type: "object", additionalProperties: true }, outputSchema: undefined });
}

function write(callName: string, { description = "", inputSchema, outputSchema }: ToolDefinition): string {
  const names = new Names([...RESERVED_CLASSES, ...fieldNames([inputSchema, outputSchema])]);
  const params = new SchemaTypes(asObject(inputSchema), "refused", names);
  params.writeRoot("Params");
  const result = isObject(outputSchema) ? new SchemaTypes(outputSchema, "kept", names) : undefined;
  result?.writeRoot("Result");
  const classes = [...params.classes, ...(result?.classes ?? [])];
  const given = result === undefined ? "ToolResult" : "Result";
  const optional = acceptsNothing(inputSchema);
  const signature = optional ? "params: Params | None = None" : "params: Params";
  const call = [pythonLiteral(callName), optional ? "params or Params()" : "params"];
  if (result !== undefined) call.push("Result");
  const text = pythonDocstring(shortened(description), "    ");
  const doc = description.trim() === "" ? [] : [`    ${text}`];
  return [
    ...(description.trim() === "" ? [] : [pythonDocstring(shortened(description), ""), ""]),
    "from __future__ import annotations",
    "",
    ...imports(classes.join("\n"), result === undefined),
    "",
    "",
    ...classes.flatMap((source) => [source, "", ""]),
    `def run(${signature}) -> ${given}:`,
    ...doc,
    `    return call_tool(${call.join(", ")})`,
    "",
    "",
    `async def run_async(${signature}) -> ${given}:`,
    ...doc,
    `    return await call_tool_async(${call.join(", ")})`,
    "",
  ].join("\n");
}

/** The module's imports; what is not needed would only be in the reader's way. */
function imports(classes: string, untyped: boolean): string[] {
  const uses = (name: string): boolean => new RegExp(String.raw`\b${name}\b`).test(classes);
  const typing = ["Annotated", "Any", "Literal"].filter(uses);
  const pydantic = ["BaseModel", "Field", "RootModel"].filter(uses);
  return [
    ...(uses("dt") ? ["import datetime as dt"] : []),
    ...(typing.length > 0 ? [`from typing import ${typing.join(", ")}`] : []),
    ...(uses("dt") || typing.length > 0 ? [""] : []),
    `from pydantic import ${pydantic.join(", ")}`,
    `from ipybox_kernel.mcp import ${[...(untyped ? ["ToolResult"] : []), "call_tool", "call_tool_async"].join(", ")}`,
  ];
}

/** MCP's arguments are an object, whatever a server says. */
function asObject(schema: JsonSchema): JsonSchema {
  return isObject(schema) ? { ...schema, type: "object" } : { type: "object" };
}

/** All names of properties in some schemas, as fields have them: within a class, a field hides a class of the same name. */
function fieldNames(schemas: readonly unknown[]): readonly string[] {
  const names = new Set<string>();
  const left = schemas.filter((schema) => typeof schema === "object" && schema !== null);
  for (let value = left.pop(); value !== undefined; value = left.pop()) {
    for (const [keyword, item] of Object.entries(value)) {
      if (keyword === "properties") for (const [name] of entriesOf(item)) names.add(pythonIdentifier(name, "field"));
      if (typeof item === "object" && item !== null) left.push(item);
    }
  }
  return [...names];
}

function acceptsNothing(schema: JsonSchema): boolean {
  return !isObject(schema) || !Array.isArray(schema["required"]) || schema["required"].length === 0;
}
