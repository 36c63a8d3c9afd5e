import * as z from "zod";
import { IpyboxError } from "./errors.ts";

const PORT = "must be a whole number from 1 to 65535";

/** Text without NUL. */
export const text: z.ZodType<string> = z
  .string({ error: "must be a string" })
  .refine((value) => !value.includes("\0"), { error: "must not contain a NUL character" })
  .refine((value) => !/\p{Surrogate}/u.test(value), { error: "must not contain half of a surrogate pair" });
export const nonEmptyText: z.ZodType<string> = text.refine((value) => value !== "", { error: "must not be empty" });
export const portNumber: z.ZodType<number> = z.int({ error: PORT }).min(1, { error: PORT }).max(65_535, { error: PORT });
export const abortSignal: z.ZodType<AbortSignal> = z.instanceof(AbortSignal, { error: "must be an AbortSignal" });
/** A number of bytes that is not below `least`. */
export const byteCount = (least: number): z.ZodType<number> =>
  z.int({ error: `must be a whole number of bytes, ${least} or more` }).min(least, { error: `must be ${least} bytes or more` });

/**
 * Checks options against a schema. The error names the field, what was given and what is allowed.
 *
 * @param refused - Options that are left out on purpose, each with the reason.
 */
export function parseOptions<Schema extends z.ZodType>(
  schema: Schema,
  options: unknown,
  owner: string,
  refused: Readonly<Record<string, string>> = {},
): z.output<Schema> {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path ?? [];
  if (issue?.code === "unrecognized_keys") {
    const field = [...path, issue.keys[0]].join(".");
    const why = path.length === 0 && Object.hasOwn(refused, field) ? ` ${refused[field]}` : undefined;
    const known = path.length === 0 ? ` Known are: ${Object.keys(shapeOf(schema)).join(", ")}.` : "";
    throw new IpyboxError("invalid_option", `${owner} has no option ${JSON.stringify(field)}.${why ?? known}`, {
      details: { field },
    });
  }
  const field = path.join(".") || "options";
  // Values of these are secrets.
  const secret = (path[0] === "env" || path[0] === "headers") && path.length > 1;
  const given = secret ? undefined : describe(path.reduce<unknown>(valueAt, options));
  const reason = issue?.code === "invalid_key" ? (issue.issues[0]?.message ?? issue.message) : (issue?.message ?? "is wrong");
  const text = `${owner}: option ${JSON.stringify(field)} ${reason}.${given === undefined ? "" : ` Given was ${given}.`}`;
  throw new IpyboxError("invalid_option", text, { details: { field, ...(given === undefined ? {} : { given }) } });
}

function shapeOf(schema: z.ZodType): object {
  return schema instanceof z.ZodObject ? schema.shape : {};
}

function valueAt(value: unknown, key: PropertyKey): unknown {
  return typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined;
}

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return String(value);
}
