import type { JsonSchema } from "./host-function.ts";
import { pythonLiteral } from "./python-literal.ts";

const MAX_DEPTH = 8;

const SIMPLE: Readonly<Record<string, string>> = {
  string: "str",
  integer: "int",
  number: "float",
  boolean: "bool",
  null: "None",
};

/** A JSON Schema as a type hint of Python; `name` gives how a built-in type is to be written. */
export function pythonType(schema: unknown, root: JsonSchema, name: (builtin: string) => string = (builtin) => builtin): string {
  const types = [...new Set(typesOf(schema, root, name, 0))];
  if (types.includes("_Any") || types.length === 0) return "_Any";
  // None last, as one writes it.
  return types.toSorted((a, b) => Number(a === "None") - Number(b === "None")).join(" | ");
}

function typesOf(schema: unknown, root: JsonSchema, name: (builtin: string) => string, depth: number): string[] {
  if (typeof schema !== "object" || schema === null || depth > MAX_DEPTH) return ["_Any"];
  const { $ref, anyOf, oneOf, allOf, type, items, additionalProperties } = schema as JsonSchema;
  const values = (schema as JsonSchema)["enum"] ?? ("const" in schema ? [schema.const] : undefined);
  const inner = (part: unknown): string[] => typesOf(part, root, name, depth + 1);
  const union = (part: unknown): string => {
    const types = [...new Set(inner(part))];
    return types.includes("_Any") ? "_Any" : types.join(" | ");
  };
  if (typeof $ref === "string") return inner(resolve($ref, root));
  if (Array.isArray(values)) return literals(values);
  const choices = anyOf ?? oneOf;
  if (Array.isArray(choices)) return choices.flatMap(inner);
  if (Array.isArray(allOf) && allOf.length === 1) return inner(allOf[0]);
  return (Array.isArray(type) ? type : [type]).map((kind): string => {
    const simple = SIMPLE[String(kind)];
    if (simple !== undefined) return simple === "None" ? simple : name(simple);
    if (kind === "array") return `${name("list")}[${union(items)}]`;
    if (kind === "object")
      return `${name("dict")}[${name("str")}, ${typeof additionalProperties === "object" ? union(additionalProperties) : "_Any"}]`;
    return "_Any";
  });
}

/** `Literal` takes texts, whole numbers and truth values. */
function literals(values: readonly unknown[]): string[] {
  const literal = values.filter((value) => value !== null);
  const fits = literal.every((value) => typeof value === "string" || typeof value === "boolean" || Number.isSafeInteger(value));
  if (!fits) return ["_Any"];
  const none = literal.length < values.length ? ["None"] : [];
  return literal.length === 0 ? none : [`_Literal[${literal.map(pythonLiteral).join(", ")}]`, ...none];
}

/** What a reference within the schema leads to. */
function resolve(reference: string, root: JsonSchema): unknown {
  if (!reference.startsWith("#")) return undefined;
  return reference
    .slice(1)
    .split("/")
    .slice(1)
    .reduce<unknown>((value, key) => {
      const property = decoded(key).replace(/~1/g, "/").replace(/~0/g, "~");
      return typeof value === "object" && value !== null && Object.hasOwn(value, property)
        ? (value as JsonSchema)[property]
        : undefined;
    }, root);
}

function decoded(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
