import * as z from "zod";
import { IpyboxError } from "../errors.ts";
import { HostCallError } from "./host-call-error.ts";
import type { HostSchema, JsonSchema } from "./host-function.ts";

/** A schema that can be shown to Python and check values. */
export interface CompiledSchema {
  readonly json: JsonSchema;
  /** Gives the value as the schema has it, with defaults; throws an Error that names the field. */
  parse(value: unknown): Promise<unknown>;
}

type ZodSchema = z.core.$ZodType;

/** Which side of a schema Python sees: what goes in, or what comes out. */
export type SchemaSide = "input" | "output";

/** Compiles a schema; `where` names it in errors. */
export async function compileSchema(schema: HostSchema, side: SchemaSide, where: string): Promise<CompiledSchema> {
  if (isZod(schema)) return compileZod(schema, side, where);
  const isSchema = typeof schema === "object" && schema !== null && !("_def" in schema) && !Array.isArray(schema);
  if (isSchema) return compileJsonSchema(schema, where);
  throw invalidSchema(where, "must be a schema of zod 4, or a JSON Schema");
}

/** A schema of any copy of zod 4. */
function isZod(schema: unknown): schema is ZodSchema {
  return typeof schema === "object" && schema !== null && "_zod" in schema;
}

function compileZod(schema: ZodSchema, side: SchemaSide, where: string): CompiledSchema {
  let json: JsonSchema;
  try {
    json = z.toJSONSchema(schema, { io: side, unrepresentable: "any", cycles: "ref" }) as JsonSchema;
  } catch (cause) {
    throw invalidSchema(where, `can't be shown in Python: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  return {
    json,
    parse: async (value) => {
      const parsed = await z.safeParseAsync(schema, value);
      if (parsed.success) return parsed.data;
      const [issue] = parsed.error.issues;
      throw new Error(describe(issue?.path.map(String) ?? [], issue?.message ?? "is wrong"));
    },
  };
}

async function compileJsonSchema(json: JsonSchema, where: string): Promise<CompiledSchema> {
  const { Ajv2020 } = await import("ajv/dist/2020.js");
  // The dialect is not insisted on: what older drafts have beside is the same, or is not checked. Ajv's own `$async`
  // would give a promise where an answer is expected.
  const { $schema: _, $async: __, ...schema } = json;
  const ajv = new Ajv2020({ strict: false, useDefaults: true, validateFormats: false, allErrors: false });
  let validate: ReturnType<typeof ajv.compile>;
  try {
    validate = ajv.compile(schema);
  } catch (cause) {
    throw invalidSchema(where, `is no JSON Schema: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  return {
    json,
    parse: async (value) => {
      if (validate(value)) return value;
      const [error] = validate.errors ?? [];
      const path = (error?.instancePath ?? "")
        .split("/")
        .slice(1)
        .map((key) => key.replace(/~1/g, "/").replace(/~0/g, "~"));
      const named: unknown = error?.params["missingProperty"] ?? error?.params["additionalProperty"];
      throw new Error(describe(typeof named === "string" ? [...path, named] : path, error?.message ?? "is wrong"));
    },
  };
}

function describe(path: readonly string[], message: string): string {
  return path.length === 0 ? message : `${JSON.stringify(path.join("."))}: ${message}`;
}

function invalidSchema(where: string, message: string, cause?: unknown): IpyboxError {
  return new IpyboxError("invalid_option", `expose: ${JSON.stringify(where)} ${message}.`, { details: { field: where }, cause });
}

/** The arguments of a call against the schema. */
export async function parseArguments(name: string, schema: CompiledSchema, value: unknown): Promise<unknown> {
  try {
    return await schema.parse(value);
  } catch (error) {
    throw new HostCallError("invalid", `${name}: ${error instanceof Error ? error.message : String(error)}`, "HostInputError");
  }
}
