import { IpyboxError } from "./errors.ts";

/** An identifier of Python, and several with dots between them. */
const NAME = String.raw`[\p{ID_Start}_][\p{ID_Continue}]*`;
const IDENTIFIER = new RegExp(`^${NAME}$`, "u");
const MODULE = new RegExp(String.raw`^${NAME}(\.${NAME})*$`, "u");

export function assertString(value: unknown, field: string): void {
  if (typeof value === "string") return;
  throw invalidArgument(`${field} must be a string. Given was ${value === null ? "null" : typeof value}.`, field);
}

/** Of a variable. `owner` is the method that is called. */
export function assertName(name: unknown, owner: string): void {
  assertString(name, `${owner}: name`);
  if (IDENTIFIER.test(String(name))) return;
  throw invalidArgument(`${owner}: name must be a Python identifier. Given was ${JSON.stringify(name)}.`, "name");
}

/** An index in a text, its end included. */
export function assertCursor(cursor: unknown, code: string, owner: string): void {
  if (Number.isInteger(cursor) && (cursor as number) >= 0 && (cursor as number) <= code.length) return;
  throw invalidArgument(
    `${owner}: cursor must be a whole number from 0 to the length of code, ${code.length}. Given was ${String(cursor)}.`,
    "cursor",
  );
}

export function assertModuleNames(names: unknown, owner: string): void {
  if (!Array.isArray(names)) throw invalidArgument(`${owner}: names must be an array of strings.`, "names");
  for (const name of names as readonly unknown[]) {
    assertString(name, `${owner}: names`);
    if (MODULE.test(String(name))) continue;
    throw invalidArgument(`${owner}: names must be Python's names of modules. Given was ${JSON.stringify(name)}.`, "names");
  }
}

/** The number in `execution.id`. */
export function executionNumber(id: unknown, owner: string): number {
  const number = /^[0-9a-f]{8}$/.test(String(id)) ? Number.parseInt(String(id), 16) : 0;
  if (number !== 0) return number;
  throw invalidArgument(`${owner}: ${JSON.stringify(id)} is no id of an execution. Pass execution.id.`, "id");
}

export function assertSequence(sequence: unknown, owner: string): void {
  if (Number.isSafeInteger(sequence) && (sequence as number) >= 1) return;
  throw invalidArgument(
    `${owner}: option "fromSequence" must be a whole number, 1 or more. Given was ${String(sequence)}.`,
    "fromSequence",
  );
}

function invalidArgument(message: string, field: string): IpyboxError {
  return new IpyboxError("invalid_option", message, { details: { field } });
}
