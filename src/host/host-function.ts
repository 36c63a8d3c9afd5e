import type * as z from "zod/v4/core";

/** A JSON Schema, in any of its common drafts. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What describes a value: a schema of zod 4, or a JSON Schema. */
export type HostSchema = z.$ZodType | JsonSchema;

/** What a schema lets through: of zod its output type. */
export type HostValue<Schema> = Schema extends z.$ZodType ? z.output<Schema> : Readonly<Record<string, unknown>>;

/** What a host function is told beside its input. */
export interface HostCallContext {
  /** Aborts when nobody waits for the value any more: the cell was interrupted, its task cancelled, its kernel has died. */
  readonly signal: AbortSignal;
  /** The execution that calls. */
  readonly executionId: string;
}

/** A function of this program that cells can call. */
export interface HostFunction<Input = HostSchema> {
  /** What it does, for whoever writes the cells: the function's documentation in Python. */
  readonly description?: string | undefined;
  /**
   * Its arguments: the properties of an object schema are parameters in Python. What doesn't fit raises `HostInputError` in the
   * cell. Left out, the function has no parameters.
   */
  readonly input?: (Input & HostSchema) | undefined;
  /** Its value. What the handler gives is checked against it. */
  readonly output?: HostSchema | undefined;
  /** How long the handler may take, in milliseconds. Default: as long as the cell may run. */
  readonly timeoutMs?: number | undefined;
  /**
   * Runs in this process, and gives the value: what `client.set()` takes, undefined as None. What it throws is raised as
   * `HostError` in the cell.
   */
  handler(input: HostValue<Input>, context: HostCallContext): unknown;
}

/** Something that can be called from a kernel, whatever it was made of. */
export interface HostCallable {
  readonly kind: "function" | "tool" | "shell";
  /** How it is named to who approves calls. */
  readonly label: string;
  readonly timeoutMs?: number | undefined;
  /** Checks the arguments; throws a `HostCallError` that names the field. */
  parseInput(input: unknown): unknown;
  /** Checks the value. */
  parseOutput(output: unknown): unknown;
  run(input: unknown, context: HostCallContext): unknown;
}

/** What is exposed under one heading, by `expose()` or as the tools of one server. */
export interface Exposure {
  /** By the name that Python's `ipybox_kernel.host.call` is given. */
  readonly functions: ReadonlyMap<string, HostCallable>;
  /** Python modules by their dotted names. Packages that they are in need none of their own. */
  readonly modules: Readonly<Record<string, string>>;
}
