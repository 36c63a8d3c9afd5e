import { assignIdentifiers } from "./identifiers.ts";
import { pythonDocstring, pythonLiteral } from "../../host/python-literal.ts";
import { RESERVED_FIELDS } from "./reserved-names.ts";

/** A field of a class of Pydantic, by the name that the schema has for it. */
export interface ModelField {
  readonly name: string;
  /** Its annotation. */
  readonly type: string;
  readonly required: boolean;
  readonly description?: string;
  /** A value of JSON. */
  readonly default?: unknown;
}

export interface Model {
  readonly name: string;
  readonly base: "BaseModel" | "RootModel";
  readonly description: string;
  readonly fields: readonly ModelField[];
  /** What Pydantic does with other properties. */
  readonly extra?: "forbid" | "allow";
}

const MAX_DESCRIPTION = 8_000;

/** The source of a class. */
export function modelSource({ name, base, description, fields, extra }: Model): string {
  const identifiers = assignIdentifiers(
    fields.map((field) => field.name),
    "field",
    RESERVED_FIELDS,
  );
  const lines = fields.map((field) => fieldSource(field, identifiers.get(field.name) ?? field.name));
  const renamed = fields.some((field) => identifiers.get(field.name) !== field.name);
  const guarded = [...identifiers.values()].some((identifier) => identifier.startsWith("model_"));
  const config = [
    ...(extra === undefined ? [] : [`extra="${extra}"`]),
    ...(renamed ? ["populate_by_name=True"] : []),
    ...(guarded ? ["protected_namespaces=()"] : []),
  ];
  const body = [
    ...(description === "" ? [] : [pythonDocstring(shortened(description), "    ")]),
    ...(description !== "" && lines.length > 0 ? [""] : []),
    ...(lines.length === 0 && description === "" ? ["pass"] : lines),
  ];
  return [`class ${name}(${[base, ...config].join(", ")}):`, ...body.map((line) => (line === "" ? "" : `    ${line}`))].join(
    "\n",
  );
}

function fieldSource(field: ModelField, identifier: string): string {
  const { type, required, description = "" } = field;
  const hasDefault = !required && field.default !== undefined;
  const isNull = !required && (field.default === undefined || field.default === null);
  const annotation = isNull && !/(^| )(None|Any)$/.test(type) ? `${type} | None` : type;
  const value = required ? undefined : pythonLiteral(hasDefault ? field.default : null);
  const keywords = [
    ...(identifier === field.name ? [] : [`alias=${pythonLiteral(field.name)}`]),
    ...(description === "" ? [] : [`description=${pythonLiteral(shortened(description))}`]),
  ];
  if (keywords.length === 0) return `${identifier}: ${annotation}${value === undefined ? "" : ` = ${value}`}`;
  return `${identifier}: ${annotation} = Field(${[...(value === undefined ? [] : [`default=${value}`]), ...keywords].join(", ")})`;
}

/** A description as it is shown: one that goes on for ever is cut. */
export function shortened(description: string): string {
  const text = description.trim();
  return text.length > MAX_DESCRIPTION ? `${text.slice(0, MAX_DESCRIPTION)}…` : text;
}
