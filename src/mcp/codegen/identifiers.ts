import { isPythonName } from "../../host/python-literal.ts";

const MAX_LENGTH = 100;

/**
 * Latin, Greek, Cyrillic, Armenian, Hebrew, Arabic, Devanagari, Thai, Georgian, Kana, Han and Hangul, where Unicode has had them for
 * long: a letter that is new to Python is no letter to it.
 */
const KNOWN =
  /^[\u0900-\u097f\w\u00aa-\u0587\u05d0-\u05ea\u0620-\u06d3\u0e00-\u0e7f\u10d0-\u10fa\u1e00-\u1fff\u3041-\u30ff\u3400-\u4db5\u4e00-\u9fcc\uac00-\ud7a3]$/;

/**
 * A Python identifier that resembles `text`. Never a keyword, never with a leading underscore, which has a meaning of its own;
 * `fallback` where nothing is left of the text.
 */
export function pythonIdentifier(text: string, fallback: string): string {
  // Python compares identifiers in this form: a fullwidth "import" is the keyword.
  const name = Array.from(text.normalize("NFKC"))
    .slice(0, MAX_LENGTH)
    .map((character) => (/^\p{XID_Continue}$/u.test(character) && KNOWN.test(character) ? character : "_"))
    .join("")
    .replace(/^_+/, "");
  if (name === "") return fallback;
  const started = /^[\p{XID_Start}]/u.test(name) ? name : `${fallback}_${name}`;
  const isKeyword = /^\w+$/.test(started) && !isPythonName(started);
  return isKeyword ? `${started}_` : started;
}

/** A class's name that resembles `text`, in Python's spelling: `ShippingAddress`. */
export function pythonClassName(text: string): string {
  const words = pythonIdentifier(text, "Value").split("_");
  return pythonIdentifier(words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join(""), "Value");
}

/** Identifiers of one scope, each given once. */
export class Names {
  readonly #taken: Set<string>;

  constructor(reserved: Iterable<string> = []) {
    this.#taken = new Set(reserved);
  }

  /** The identifier, or where that is taken the first free one of `NAME_2`, `NAME_3`, … */
  take(identifier: string): string {
    let name = identifier;
    for (let number = 2; this.#taken.has(name); number += 1) name = `${identifier}_${number}`;
    this.#taken.add(name);
    return name;
  }
}

/**
 * An identifier for each text, all different. A text that is an identifier itself keeps it; the others get theirs in alphabetical
 * order, so that the order in which a server lists its tools does not matter.
 */
export function assignIdentifiers(
  texts: Iterable<string>,
  fallback: string,
  reserved: ReadonlySet<string> = new Set(),
): ReadonlyMap<string, string> {
  const names = new Names(reserved);
  const all = [...new Set(texts)].sort();
  const wish = (text: string): string => pythonIdentifier(text, fallback);
  const isOwn = (text: string): boolean => wish(text) === text && !reserved.has(text);
  const assigned = [...all.filter(isOwn), ...all.filter((text) => !isOwn(text))].map((text) => {
    const identifier = wish(text);
    return [text, names.take(reserved.has(identifier) ? `${identifier}_` : identifier)] as const;
  });
  return new Map(assigned);
}
