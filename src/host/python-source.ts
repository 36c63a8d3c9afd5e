import type { JsonSchema } from "./host-function.ts";
import { pythonDocstring, pythonLiteral, pythonName, pythonString } from "./python-literal.ts";
import { pythonType } from "./python-type.ts";

/** A function as Python is to show it. */
export interface PythonFunction {
  readonly name: string;
  readonly description: string | undefined;
  /** Of the arguments; undefined for a function without. */
  readonly input: JsonSchema | undefined;
  readonly output: JsonSchema | undefined;
}

/** Names of the module itself, which no function may have. */
export const RESERVED: ReadonlySet<string> = new Set([
  "HostError",
  "HostInputError",
  "HostTimeoutError",
  "HostUnavailableError",
  "ApprovalRejected",
  "aio",
]);

/** Types that hints are made of. */
const BUILTINS = ["str", "int", "float", "bool", "list", "dict"];

/** What the module's own code calls, and parameters may not hide. */
const INTERNAL: ReadonlySet<string> = new Set(["_call", "_Any", "_Literal", "_given"]);

/** The sources of the modules `host` and `host.aio`. */
export function hostModules(functions: readonly PythonFunction[]): Readonly<Record<string, string>> {
  return { host: moduleSource(functions, false), "host.aio": moduleSource(functions, true) };
}

function moduleSource(functions: readonly PythonFunction[], isAsync: boolean): string {
  const names = new Set(functions.map(({ name }) => name));
  const hidden = BUILTINS.filter((builtin) => names.has(builtin));
  const builtin = (type: string): string => (names.has(type) ? `_${type}` : type);
  const title = isAsync ? "The functions of `host`, to be awaited." : "Functions of the program that runs this kernel.";
  return [
    `${pythonDocstring(title, "")}\n`,
    "from typing import Any as _Any",
    "from typing import Literal as _Literal\n",
    "from ipybox_kernel.host import ApprovalRejected, HostError, HostInputError, HostTimeoutError, HostUnavailableError",
    `from ipybox_kernel.host import ${isAsync ? "call_async" : "call"} as _call`,
    "from ipybox_kernel.host import given as _given",
    ...hidden.map((name) => `\n_${name} = ${name}`),
    `\n__all__ = ${pythonLiteral([...names])}\n`,
    ...functions.map((one) => `\n${functionSource(one, isAsync, builtin)}`),
    ...(isAsync ? [] : ["\nfrom . import aio as aio  # at the end: it is of use when this module is there\n"]),
  ].join("\n");
}

interface Parameter {
  /** The argument's own name. */
  readonly key: string;
  readonly name: string;
  readonly type: string;
  readonly description: string | undefined;
  /** As Python writes it; undefined for one that must be given. */
  readonly fallback: string | undefined;
  /** It is left out when it is None. */
  readonly optional: boolean;
}

function functionSource(one: PythonFunction, isAsync: boolean, builtin: (type: string) => string): string {
  const { name, input, output } = one;
  const isObject = input !== undefined && (input["type"] === "object" || typeof input["properties"] === "object");
  const parameters = input === undefined ? [] : isObject ? parametersOf(input, builtin) : [wholeInput(input, builtin)];
  const extra = isObject && takesMore(input) ? `, **${pythonName("extra", new Set(parameters.map((p) => p.name)))}` : "";
  const signature = parameters.map((p) => `${p.name}: ${p.type}${p.fallback === undefined ? "" : ` = ${p.fallback}`}`).join(", ");
  const result = output === undefined ? "_Any" : pythonType(output, output, builtin);
  const value = input === undefined ? "{}" : isObject ? argumentsSource(parameters, extra) : (parameters[0]?.name ?? "None");
  const header = `${isAsync ? "async " : ""}def ${name}(${`${signature}${extra}`.replace(/^, /, "")}) -> ${result}:`;
  const text = documentation(one, parameters);
  return [
    header,
    ...(text === "" ? [] : [`    ${pythonDocstring(text, "    ")}`]),
    `    return ${isAsync ? "await " : ""}_call(${pythonString(name)}, ${value})\n`,
  ].join("\n");
}

/** Parameters that must be given come first, as Python wants it. */
function parametersOf(input: JsonSchema, builtin: (type: string) => string): readonly Parameter[] {
  const properties = Object.entries((input["properties"] ?? {}) as Readonly<Record<string, unknown>>);
  const required = new Set(Array.isArray(input["required"]) ? input["required"] : []);
  const taken = new Set(INTERNAL);
  const parameters = properties.map(([key, schema]): Parameter => {
    const name = pythonName(key, taken);
    taken.add(name);
    const { default: fallback, description } = Object(schema) as JsonSchema;
    const type = pythonType(schema, input, builtin);
    const base = { key, name, description: typeof description === "string" ? description : undefined };
    if (required.has(key)) return { ...base, type, fallback: undefined, optional: false };
    if (fallback !== undefined) return { ...base, type, fallback: pythonLiteral(fallback), optional: false };
    const nullable = type === "_Any" || /(^|\| )None$/.test(type) ? type : `${type} | None`;
    return { ...base, type: nullable, fallback: "None", optional: true };
  });
  return parameters.toSorted((a, b) => Number(a.fallback !== undefined) - Number(b.fallback !== undefined));
}

function wholeInput(input: JsonSchema, builtin: (type: string) => string): Parameter {
  const { description } = input;
  const text = typeof description === "string" ? description : undefined;
  return {
    key: "",
    name: "input",
    type: pythonType(input, input, builtin),
    description: text,
    fallback: undefined,
    optional: false,
  };
}

/** JSON Schema lets unnamed properties through unless told otherwise; that is meant only where it is said. */
function takesMore({ additionalProperties }: JsonSchema): boolean {
  return additionalProperties === true || (typeof additionalProperties === "object" && additionalProperties !== null);
}

function argumentsSource(parameters: readonly Parameter[], extra: string): string {
  const item = ({ key, name }: Parameter): string => `${pythonString(key)}: ${name}`;
  const always = parameters.filter(({ optional }) => !optional).map(item);
  const optional = parameters.filter((parameter) => parameter.optional).map(item);
  const more = extra === "" ? [] : [extra.slice(", ".length)];
  return `{${[...always, ...(optional.length === 0 ? [] : [`**_given({${optional.join(", ")}})`]), ...more].join(", ")}}`;
}

function documentation({ description }: PythonFunction, parameters: readonly Parameter[]): string {
  const described = parameters.filter((parameter) => parameter.description !== undefined);
  const lines = described.map(
    (parameter) => `    ${parameter.name}: ${parameter.description?.trim().replace(/\s*[\n\r]+\s*/g, " ") ?? ""}`,
  );
  const text = description?.trim() ?? "";
  return [text, ...(lines.length === 0 ? [] : [["Args:", ...lines].join("\n")])].filter((part) => part !== "").join("\n\n");
}
