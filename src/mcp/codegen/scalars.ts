import type { JsonSchema } from "./json-schema.ts";
import { pythonLiteral } from "../../host/python-literal.ts";

/** More values than this are no type that anybody reads. */
const MAX_LITERALS = 500;

const FORMATS: Readonly<Record<string, string>> = { "date-time": "dt.datetime", date: "dt.date", time: "dt.time" };

/** `Literal[…]` for `enum` and `const`; undefined when the schema has neither, or values that no `Literal` can have. */
export function literalTypeOf(schema: JsonSchema): string | undefined {
  const values = Object.hasOwn(schema, "const") ? [schema["const"]] : schema["enum"];
  if (!Array.isArray(values) || values.length === 0 || values.length > MAX_LITERALS) return undefined;
  if (!values.every(isLiteral)) return undefined;
  const literals = [...new Set(values.filter((value) => value !== null).map((value) => pythonLiteral(value)))];
  const types = [...(literals.length > 0 ? [`Literal[${literals.join(", ")}]`] : []), ...(values.includes(null) ? ["None"] : [])];
  return types.join(" | ");
}

function isLiteral(value: unknown): boolean {
  return value === null || ["string", "boolean"].includes(typeof value) || Number.isSafeInteger(value);
}

/** Dates may be given as Python's own, and stay text when they come as text: servers differ in how they write them. */
export function stringTypeOf(schema: JsonSchema): string {
  const { format } = schema;
  const own = typeof format === "string" && Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
  return own === undefined ? boundsOf("str", schema) : `${own} | str`;
}

/** A type with the bounds that Pydantic checks. Regular expressions are left to the server: Python has others. */
export function boundsOf(type: "int" | "float" | "str" | `list[${string}`, schema: JsonSchema): string {
  const bounds =
    type === "int" || type === "float"
      ? numberBounds(schema, type === "int")
      : lengthBounds(schema, type === "str" ? "Length" : "Items");
  return bounds.length === 0 ? type : `Annotated[${type}, Field(${bounds.join(", ")})]`;
}

function numberBounds(schema: JsonSchema, whole: boolean): string[] {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  // In older drafts the exclusive ones are booleans beside the others.
  const above = exclusiveMinimum === true ? minimum : exclusiveMinimum;
  const below = exclusiveMaximum === true ? maximum : exclusiveMaximum;
  const bounds: [string, unknown][] = [
    ["ge", exclusiveMinimum === true ? undefined : rounded(minimum, whole, Math.ceil)],
    ["gt", rounded(above, whole, Math.floor)],
    ["le", exclusiveMaximum === true ? undefined : rounded(maximum, whole, Math.floor)],
    ["lt", rounded(below, whole, Math.ceil)],
    ["multiple_of", whole && typeof multipleOf === "number" && multipleOf >= 1 ? rounded(multipleOf, true, keep) : undefined],
  ];
  return bounds.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${pythonLiteral(value)}`]));
}

/** A bound that Pydantic takes for the type: for whole numbers a whole one that means the same. */
function rounded(bound: unknown, whole: boolean, round: (value: number) => number): number | undefined {
  if (typeof bound !== "number" || !Number.isFinite(bound)) return undefined;
  if (!whole) return bound;
  const value = round(bound);
  return Number.isSafeInteger(value) ? value : undefined;
}

function keep(value: number): number {
  return Number.isInteger(value) ? value : Number.NaN;
}

function lengthBounds(schema: JsonSchema, unit: "Length" | "Items"): string[] {
  return (["min", "max"] as const).flatMap((end) => {
    const value = schema[`${end}${unit}`];
    return Number.isSafeInteger(value) && (value as number) >= 0 ? [`${end}_length=${String(value)}`] : [];
  });
}
