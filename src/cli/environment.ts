import { readFile } from "node:fs/promises";
import { UsageError } from "./usage-error.ts";

/** One variable; without a value it is left out, as Docker does. */
type Entry = readonly [name: string, value: string | undefined];

/** The variables of cells: those of the files, and over them those of the flags. */
export async function readEnvironment(
  flags: readonly string[],
  files: readonly string[],
  own: NodeJS.ProcessEnv = process.env,
): Promise<Readonly<Record<string, string>>> {
  const entries: Entry[] = [];
  for (const path of files) entries.push(...parseEnvFile(path, await readEnvFile(path), own));
  for (const flag of flags) entries.push(parseFlag(flag, own));
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** `NAME=VALUE`, or `NAME` for the value that it has here. */
function parseFlag(text: string, own: NodeJS.ProcessEnv): Entry {
  const { name, value } = split(text, own);
  // What follows the = may be a secret.
  if (name === "") throw new UsageError('--env must be NAME=VALUE or NAME. Given was a text without a name before the "=".');
  return [name, value];
}

async function readEnvFile(path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new UsageError(
      `--env-file must be a file that can be read. Given was ${JSON.stringify(path)}: ${(error as Error).message}.`,
      {
        cause: error,
      },
    );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UsageError(`--env-file must be in UTF-8. Given was ${JSON.stringify(path)}.`, { cause });
  }
}

/** Docker's format: one variable a line, `#` begins a comment line, quotes are part of the value. */
function parseEnvFile(path: string, text: string, own: NodeJS.ProcessEnv): Entry[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    const content = line.trimStart();
    if (content === "" || content.startsWith("#")) return [];
    const { name, value } = split(content, own);
    if (name === "" || /\s/.test(name)) {
      throw new UsageError(
        `--env-file must have NAME=VALUE, NAME or # in each line. Line ${index + 1} of ${JSON.stringify(path)} has no name without spaces.`,
      );
    }
    return [[name, value]] as const;
  });
}

function split(text: string, own: NodeJS.ProcessEnv): { readonly name: string; readonly value: string | undefined } {
  const equals = text.indexOf("=");
  if (equals === -1) return { name: text, value: Object.hasOwn(own, text) ? own[text] : undefined };
  return { name: text.slice(0, equals), value: text.slice(equals + 1) };
}
