import { entriesOf, isObject, itemsOf, type JsonSchema, requiredOf, resolve } from "./json-schema.ts";
import { boundsOf, literalTypeOf, stringTypeOf } from "./scalars.ts";
import { Names, pythonClassName } from "./identifiers.ts";
import { type ModelField, modelSource } from "./models.ts";

/** A schema nested deeper, or with more parts, is taken for "anything" from there on. */
const MAX_DEPTH = 32;
const MAX_PARTS = 4_000;
const MAX_TYPE_LENGTH = 4_000;

const ANY = "Any";

/** What becomes of properties that a schema does not name: refused in what is sent, kept in what is received. */
export type UnnamedProperties = "refused" | "kept";

/** Writes the Python types of a schema: a class of Pydantic for each object, annotations for all else. */
export class SchemaTypes {
  /** The classes that have been written, in the order of their first use. */
  readonly classes: string[] = [];
  readonly #root: JsonSchema;
  readonly #unnamed: UnnamedProperties;
  readonly #names: Names;
  /** A schema has one class, also where it refers to itself. */
  readonly #classOf = new Map<object, string>();
  readonly #merged = new Map<object, JsonSchema | undefined>();
  readonly #open = new Set<object>();
  #parts = 0;

  constructor(root: JsonSchema, unnamed: UnnamedProperties, names: Names) {
    this.#root = root;
    this.#unnamed = unnamed;
    this.#names = names;
  }

  /** Writes the class `name` for the root. What is received need not be an object: then the class has the one field `root`. */
  writeRoot(name: string): void {
    const schema = this.#flattened(resolve(this.#root, this.#root)) ?? {};
    if (this.#unnamed === "refused" || this.#isModel(schema)) {
      for (const alike of [schema, this.#root]) this.#classOf.set(alike, name);
      this.#writeModel(name, schema, 0);
    } else {
      const type = this.typeOf(schema, name, 0);
      const description = text(schema["description"]);
      this.classes.push(modelSource({ name, base: "RootModel", description, fields: [{ name: "root", type, required: true }] }));
    }
  }

  /** The annotation of a schema; `hint` names its class, should it get one. */
  typeOf(schema: unknown, hint: string, depth: number): string {
    this.#parts += 1;
    if (depth > MAX_DEPTH || this.#parts > MAX_PARTS) return ANY;
    const resolved = resolve(this.#root, schema);
    if (resolved === undefined) return ANY;
    const known = this.#classOf.get(resolved);
    if (known !== undefined) return known;
    // A type that contains itself without a class between has no name that it could go by.
    if (this.#open.has(resolved)) return ANY;
    const named = isObject(schema) && typeof schema["$ref"] === "string" ? schema["$ref"].split("/").at(-1) : undefined;
    this.#open.add(resolved);
    try {
      const type = this.#typeOf(resolved, named === undefined || named === "#" ? hint : named, depth);
      return type.length > MAX_TYPE_LENGTH ? ANY : type;
    } finally {
      this.#open.delete(resolved);
    }
  }

  #typeOf(resolved: JsonSchema, hint: string, depth: number): string {
    const schema = this.#flattened(resolved);
    if (schema === undefined) return ANY;
    if (schema["nullable"] === true) return union([this.#typeOf({ ...schema, nullable: false }, hint, depth), "None"]);
    const literal = literalTypeOf(schema);
    if (literal !== undefined) return literal;
    if (this.#isModel(schema)) return this.#model(resolved, schema, hint, depth);
    for (const members of [schema["anyOf"], schema["oneOf"]]) {
      if (Array.isArray(members) && members.length > 0) {
        return union(members.map((member) => this.typeOf(member, hint, depth + 1)));
      }
    }
    const { type } = schema;
    if (Array.isArray(type)) return union(type.map((single) => this.#simpleType({ ...schema, type: single }, hint, depth)));
    return this.#simpleType(schema, hint, depth);
  }

  #simpleType(schema: JsonSchema, hint: string, depth: number): string {
    switch (schema["type"] ?? impliedType(schema)) {
      case "string":
        return stringTypeOf(schema);
      case "integer":
        return boundsOf("int", schema);
      case "number":
        return boundsOf("float", schema);
      case "boolean":
        return "bool";
      case "null":
        return "None";
      case "array":
        return this.#arrayType(schema, hint, depth);
      case "object":
        return this.#mapType(schema, hint, depth);
      default:
        return ANY;
    }
  }

  #arrayType(schema: JsonSchema, hint: string, depth: number): string {
    const { items, prefixItems, additionalItems } = schema;
    const first = itemsOf(Array.isArray(items) ? items : prefixItems);
    if (first.length > 0) {
      const closed = Array.isArray(items) ? additionalItems === false : items === false;
      const types = first.map((item, index) => this.typeOf(item, `${hint}_item_${index + 1}`, depth + 1));
      return closed && schema["minItems"] === first.length ? `tuple[${types.join(", ")}]` : boundsOf(`list[${ANY}]`, schema);
    }
    return boundsOf(`list[${items === undefined ? ANY : this.typeOf(items, `${hint}_item`, depth + 1)}]`, schema);
  }

  #mapType(schema: JsonSchema, hint: string, depth: number): string {
    const { additionalProperties } = schema;
    const item = isObject(additionalProperties) ? this.typeOf(additionalProperties, `${hint}_value`, depth + 1) : ANY;
    return `dict[str, ${item}]`;
  }

  #isModel(schema: JsonSchema): boolean {
    return Object.keys(isObject(schema["properties"]) ? schema["properties"] : {}).length > 0;
  }

  #model(identity: object, schema: JsonSchema, hint: string, depth: number): string {
    const name = this.#names.take(pythonClassName(hint));
    this.#classOf.set(identity, name);
    this.#writeModel(name, schema, depth);
    return name;
  }

  #writeModel(name: string, schema: JsonSchema, depth: number): void {
    const required = requiredOf(schema);
    const properties = new Map(entriesOf(schema["properties"]));
    for (const missing of required) if (!properties.has(missing)) properties.set(missing, {});
    const place = this.classes.push("") - 1;
    const fields = [...properties].map(([property, propertySchema]): ModelField => {
      const resolved = resolve(this.#root, propertySchema) ?? {};
      const own = isObject(propertySchema) ? propertySchema : {};
      return {
        name: property,
        type: this.typeOf(propertySchema, property, depth + 1),
        required: required.has(property),
        description: text(own["description"]) || text(resolved["description"]),
        ...(Object.hasOwn(own, "default") ? { default: own["default"] } : {}),
      };
    });
    const extra = this.#unnamed === "refused" && namesAll(schema) ? "forbid" : "allow";
    this.classes[place] = modelSource({ name, base: "BaseModel", description: text(schema["description"]), fields, extra });
  }

  /** A schema whose `allOf` is taken into it: objects become one, else the first part that says something stands for all. */
  #flattened(schema: JsonSchema | undefined): JsonSchema | undefined {
    if (schema === undefined || itemsOf(schema["allOf"]).length === 0) return schema;
    if (!this.#merged.has(schema)) {
      this.#merged.set(schema, undefined); // while it is merged: parts may refer to it
      this.#merged.set(schema, this.#merge(schema));
    }
    return this.#merged.get(schema);
  }

  #merge(schema: JsonSchema): JsonSchema {
    const { allOf, ...own } = schema;
    const parts = itemsOf(allOf)
      .slice(0, MAX_PARTS)
      .map((part) => this.#flattened(resolve(this.#root, part)) ?? {});
    const all = [own, ...parts];
    if (!all.some((part) => this.#isModel(part))) return { ...all.find((part) => saysType(part)), ...own };
    return {
      ...Object.assign({}, ...parts.toReversed(), own),
      type: "object",
      properties: Object.fromEntries(all.flatMap((part) => entriesOf(part["properties"]))),
      required: all.flatMap((part) => [...requiredOf(part)]),
    } as JsonSchema;
  }
}

/** Whether a schema of what is sent names all properties. Most leave out to say that there are no others. */
function namesAll(schema: JsonSchema): boolean {
  const { additionalProperties, properties } = schema;
  if (additionalProperties !== undefined) return additionalProperties === false;
  return isObject(properties) && !["anyOf", "oneOf", "patternProperties"].some((keyword) => Object.hasOwn(schema, keyword));
}

function impliedType(schema: JsonSchema): string | undefined {
  if (Object.hasOwn(schema, "items") || Object.hasOwn(schema, "prefixItems")) return "array";
  return Object.hasOwn(schema, "additionalProperties") || Object.hasOwn(schema, "properties") ? "object" : undefined;
}

function saysType(schema: JsonSchema): boolean {
  return ["type", "enum", "const", "anyOf", "oneOf", "items"].some((keyword) => Object.hasOwn(schema, keyword));
}

/** Without repetitions, `None` last, and anything at all when a member is. */
function union(types: readonly string[]): string {
  const members = new Set(
    types.flatMap((type) => (type.endsWith(" | None") ? [type.slice(0, -" | None".length), "None"] : [type])),
  );
  if (members.has(ANY)) return ANY;
  const nullable = members.delete("None");
  if (members.size === 0) return nullable ? "None" : ANY;
  return [...members, ...(nullable ? ["None"] : [])].join(" | ");
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
