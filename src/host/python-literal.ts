const KEYWORDS: ReadonlySet<string> = new Set(
  (
    "False None True and as assert async await break class continue def del elif else except finally for from global if import " +
    "in is lambda nonlocal not or pass raise return try while with yield"
  ).split(" "),
);

/** Whether Python takes it for a name. Only ASCII: Python folds other letters, so that two names could be one. */
export function isPythonName(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text) && !KEYWORDS.has(text);
}

/** A name as near to `text` as Python allows, other than those `taken`. */
export function pythonName(text: string, taken: ReadonlySet<string>): string {
  const letters = text
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .replace(/[^A-Za-z0-9_]+/g, "_");
  const start = /^[A-Za-z_]/.test(letters) ? letters : `_${letters}`;
  let name = isPythonName(start) ? start : `${start}_`;
  for (let count = 2; taken.has(name); count += 1) name = `${start}_${count}`;
  return name;
}

/** A JSON value as Python writes it. */
export function pythonLiteral(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number")
    return Number.isFinite(value) ? String(value) : `float("${String(value).replace("Infinity", "inf")}")`;
  if (typeof value === "bigint") return String(value);
  if (typeof value === "string") return pythonString(value);
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  const entries = Object.entries(value).map(([key, item]) => `${pythonString(key)}: ${pythonLiteral(item)}`);
  return `{${entries.join(", ")}}`;
}

/** A string literal. Nothing in the text can end it, and whatever can't be seen is escaped. */
export function pythonString(text: string): string {
  return `"${escape(text)}"`;
}

/** A documentation string of as many lines as the text has, each behind `indent`. */
export function pythonDocstring(text: string, indent: string): string {
  const lines = text.split(/\r\n|[\n\r]/).map(escape);
  return lines.length === 1
    ? `"""${lines[0]}"""`
    : `"""${lines.map((line) => (line === "" ? "" : line)).join(`\n${indent}`)}\n${indent}"""`;
}

function escape(text: string): string {
  return text.replace(/[\\"]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (character) => {
    if (character === "\\" || character === '"') return `\\${character}`;
    if (character === "\n") return "\\n";
    if (character === "\t") return "\\t";
    const code = character.codePointAt(0) as number;
    if (code >= 0xd800 && code <= 0xdfff) return "\\ufffd"; // half a character is no text for what reads schemas
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
