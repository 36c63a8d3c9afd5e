/** Names that the types of a module are written with: no class and no field may have one of them. */
const TYPE_NAMES: readonly string[] = [
  ...["Annotated", "Any", "BaseModel", "Field", "Literal", "RootModel", "dt"],
  ...["bool", "dict", "float", "int", "list", "str", "tuple"],
];

/** Attributes of Pydantic's classes that a field must not hide. */
const PYDANTIC_NAMES: readonly string[] = [
  ...["Config", "construct", "copy", "dict", "from_orm", "json", "parse_file", "parse_obj", "parse_raw", "schema"],
  ...["schema_json", "update_forward_refs", "validate"],
  ...[
    ...["computed_fields", "config", "construct", "copy", "dump", "dump_json", "extra", "fields", "fields_set"],
    ...["json_schema", "parametrized_name", "post_init", "rebuild", "validate", "validate_json", "validate_strings"],
  ].map((name) => `model_${name}`),
];

/** What no field of a class may be called. Within a class, a field hides a class of its name, which its other fields may be of. */
export const RESERVED_FIELDS: ReadonlySet<string> = new Set([...TYPE_NAMES, ...PYDANTIC_NAMES, "Params", "Result"]);

/** What no class of a module may be called. */
export const RESERVED_CLASSES: readonly string[] = [
  ...TYPE_NAMES,
  ...["Params", "Result", "ToolResult", "call_tool", "call_tool_async", "run", "run_async"],
];
