import { EntryError, parseEntry } from "../network/entry.ts";
import type { NetworkPolicy } from "../network/policy.ts";
import { UsageError } from "./usage-error.ts";

const LIST = "allow:";

/** Reads `internet`, `public`, `none` or `allow:` with the entries of a list. */
export function readNetwork(text: string): NetworkPolicy {
  if (text === "internet" || text === "public" || text === "none") return text;
  if (!text.startsWith(LIST)) {
    throw new UsageError(
      `--network must be internet, public, none or allow:ENTRY,ENTRY… Given was ${JSON.stringify(text)}.` +
        (text.includes(".") ? ` Did you mean ${JSON.stringify(LIST + text)}?` : ""),
    );
  }
  const allow = text === LIST ? [] : text.slice(LIST.length).split(",");
  for (const entry of allow) {
    try {
      parseEntry(entry);
    } catch (error) {
      if (!(error instanceof EntryError)) throw error;
      throw new UsageError(`--network: the entry ${JSON.stringify(entry)} ${error.message}.`, { cause: error });
    }
  }
  return { allow };
}
