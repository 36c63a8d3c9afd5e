import { IpyboxError } from "../errors.ts";
import { HostCallError } from "./host-call-error.ts";
import type { Exposure, HostCallable, HostFunction, HostSchema } from "./host-function.ts";
import { isPythonName } from "./python-literal.ts";
import { hostModules, type PythonFunction, RESERVED } from "./python-source.ts";
import { type CompiledSchema, compileSchema, parseArguments } from "./schema.ts";

const FIELDS = ["description", "input", "output", "timeoutMs", "handler"];

/** A function that was checked, and how Python is to show it. */
export interface CompiledFunction {
  readonly callable: HostCallable;
  readonly shown: PythonFunction;
}

/** What cells can call of functions: the modules `host` and `host.aio`. */
export function exposureOf(functions: ReadonlyMap<string, CompiledFunction>): Exposure {
  const callables = new Map([...functions].map(([name, { callable }]) => [name, callable]));
  return { functions: callables, modules: hostModules([...functions.values()].map(({ shown }) => shown)) };
}

/** Checks what `expose()` is given. */
export async function compileFunctions(
  functions: Readonly<Record<string, HostFunction>>,
): Promise<ReadonlyMap<string, CompiledFunction>> {
  if (typeof functions !== "object" || functions === null) {
    throw invalid("functions", `must be an object: name → { description, input, handler }. Given was ${String(functions)}`);
  }
  const all = new Map<string, CompiledFunction>();
  for (const [name, one] of Object.entries(functions)) {
    assertFunction(name, one);
    const input = await compiled(one.input, "input", name);
    const output = await compiled(one.output, "output", name);
    const shown = { name, description: one.description, input: input?.json, output: output?.json };
    all.set(name, { callable: callableOf(name, one, input, output), shown });
  }
  return all;
}

function compiled(schema: HostSchema | undefined, side: "input" | "output", name: string): Promise<CompiledSchema> | undefined {
  return schema === undefined ? undefined : compileSchema(schema, side, `${name}.${side}`);
}

function callableOf(
  name: string,
  one: HostFunction,
  input: CompiledSchema | undefined,
  output: CompiledSchema | undefined,
): HostCallable {
  return {
    kind: "function",
    label: name,
    timeoutMs: one.timeoutMs,
    parseInput: (value) => (input === undefined ? value : parseArguments(name, input, value)),
    parseOutput: async (value) => {
      if (output === undefined) return value;
      try {
        return await output.parse(value);
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        throw new HostCallError("failed", `${name}: the handler's value does not fit its output schema: ${text}`, "TypeError");
      }
    },
    run: (value, context) => one.handler(value, context),
  };
}

function assertFunction(name: string, one: unknown): asserts one is HostFunction {
  if (!isPythonName(name) || name.startsWith("_")) {
    throw invalid(
      name,
      "is no name for a function: letters, digits and _ of ASCII, not a keyword of Python, and no _ at its start",
    );
  }
  if (RESERVED.has(name)) throw invalid(name, "is a name of the module itself");
  if (typeof one !== "object" || one === null) throw invalid(name, `must be an object { description, input, handler }`);
  const unknown = Object.keys(one).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) throw invalid(`${name}.${unknown}`, `is unknown. Known are: ${FIELDS.join(", ")}`);
  const { description, timeoutMs, handler } = one as Readonly<Record<string, unknown>>;
  if (typeof handler !== "function") throw invalid(`${name}.handler`, `must be a function. Given was ${typeof handler}`);
  if (description !== undefined && typeof description !== "string") {
    throw invalid(`${name}.description`, `must be a string. Given was ${typeof description}`);
  }
  if (timeoutMs !== undefined && !(typeof timeoutMs === "number" && timeoutMs >= 1)) {
    throw invalid(`${name}.timeoutMs`, `must be 1 or more milliseconds. Given was ${JSON.stringify(timeoutMs)}`);
  }
}

function invalid(field: string, message: string): IpyboxError {
  return new IpyboxError("invalid_option", `expose: ${JSON.stringify(field)} ${message}.`, { details: { field } });
}
