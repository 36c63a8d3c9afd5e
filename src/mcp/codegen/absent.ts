import { entriesOf, isObject, itemsOf, type JsonSchema, requiredOf, resolve } from "./json-schema.ts";

const MAX_DEPTH = 64;

/**
 * Arguments without what is `null` only because Python has no other word for "not given": optional properties whose schema does
 * not allow null.
 */
export function withoutAbsent(root: JsonSchema, value: unknown, schema: unknown = root, depth = 0): unknown {
  const resolved = resolve(root, schema);
  if (resolved === undefined || depth > MAX_DEPTH) return value;
  if (Array.isArray(value)) {
    const { items } = resolved;
    return isObject(items) ? value.map((item) => withoutAbsent(root, item, items, depth + 1)) : value;
  }
  if (!isObject(value)) return value;
  const properties = new Map(entriesOf(resolved["properties"]));
  const required = requiredOf(resolved);
  const kept = Object.entries(value).flatMap(([name, item]) => {
    const property = properties.get(name);
    if (property === undefined) return [[name, item] as const];
    if (item === null && !required.has(name) && !acceptsNull(root, property)) return [];
    return [[name, withoutAbsent(root, item, property, depth + 1)] as const];
  });
  return Object.fromEntries(kept);
}

/** Whether null fits a schema, as far as its types tell. */
export function acceptsNull(root: JsonSchema, schema: unknown, depth = 0): boolean {
  const resolved = resolve(root, schema);
  if (resolved === undefined || depth > MAX_DEPTH) return schema !== false;
  const { type } = resolved;
  if (resolved["nullable"] === true) return true;
  if (Object.hasOwn(resolved, "const")) return resolved["const"] === null;
  if (Array.isArray(resolved["enum"])) return resolved["enum"].includes(null);
  if (typeof type === "string") return type === "null";
  if (Array.isArray(type)) return type.includes("null");
  for (const union of [resolved["anyOf"], resolved["oneOf"]]) {
    if (Array.isArray(union)) return union.some((member) => acceptsNull(root, member, depth + 1));
  }
  const all = itemsOf(resolved["allOf"]);
  if (all.length > 0) return all.every((member) => acceptsNull(root, member, depth + 1));
  return !["properties", "items", "prefixItems", "additionalProperties"].some((keyword) => Object.hasOwn(resolved, keyword));
}
