/** A JSON Schema that comes from a server: of its keywords none is checked yet. */
export type JsonSchema = Readonly<Record<string, unknown>>;

const MAX_POINTER_STEPS = 100;
const MAX_REFERENCES = 100;

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The entries of a keyword that maps names to schemas. */
export function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return isObject(value) ? Object.entries(value) : [];
}

/** The items of a keyword that is a list. */
export function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The names of `required`. */
export function requiredOf(schema: JsonSchema): ReadonlySet<string> {
  return new Set(itemsOf(schema["required"]).filter((name): name is string => typeof name === "string"));
}

/**
 * What a schema stands for, `$ref`s followed within `root`; undefined where they lead nowhere or in a circle, or where it is no
 * object (`true` allows all).
 */
export function resolve(root: JsonSchema, schema: unknown): JsonSchema | undefined {
  let current = schema;
  for (let steps = 0; steps < MAX_REFERENCES; steps += 1) {
    if (!isObject(current)) return undefined;
    if (typeof current["$ref"] !== "string") return current;
    current = follow(root, current["$ref"]);
  }
  return undefined;
}

/** Follows a JSON pointer in a fragment; other documents are never fetched. */
function follow(root: JsonSchema, reference: string): unknown {
  if (reference === "#") return root;
  if (!reference.startsWith("#/")) return undefined;
  const steps = reference.slice(2).split("/");
  if (steps.length > MAX_POINTER_STEPS) return undefined;
  let current: unknown = root;
  for (const step of steps) {
    const key = unescapePointer(step);
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, key)) return undefined;
    current = (current as Record<string, unknown>)[key];
  }
  return current;
}

function unescapePointer(step: string): string {
  const plain = step.replaceAll("~1", "/").replaceAll("~0", "~");
  try {
    return decodeURIComponent(plain);
  } catch {
    return plain;
  }
}
