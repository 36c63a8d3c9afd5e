/** What may stand in a source as it is. Controls, invisible characters and those that reorder text may not. */
const PLAIN = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"' };

/** A value of JSON as an expression of Python. */
export function pythonLiteral(value: unknown): string {
  switch (typeof value) {
    case "string":
      return `"${[...value].map((character) => SHORT_ESCAPES[character] ?? plainOrEscaped(character)).join("")}"`;
    case "number":
      return pythonNumber(value);
    case "boolean":
      return value ? "True" : "False";
    case "object":
      if (value === null) return "None";
      if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
      return `{${Object.entries(value)
        .map(([key, item]) => `${pythonLiteral(key)}: ${pythonLiteral(item)}`)
        .join(", ")}}`;
    default:
      throw new TypeError(`JSON has no ${typeof value}`);
  }
}

/** A text as a docstring whose lines stand below each other, indented. */
export function docstring(text: string, indent: string): string {
  const lines = text
    .replace(/\r\n?/g, "\n")
    .trim()
    .split("\n")
    .map((line) => [...line.trimEnd()].map(docstringCharacter).join(""));
  // Three of them would end the string, and so would one at its end.
  const escaped = lines.map((line) => line.replaceAll('"', '\\"'));
  const body = lines.some((line) => line.includes('""')) || lines.at(-1)?.endsWith('"') === true ? escaped : lines;
  return `"""${body.join(`\n${indent}`).replace(/^[^\S\n]+$/gm, "")}${body.length > 1 ? `\n${indent}` : ""}"""`;
}

function docstringCharacter(character: string): string {
  if (character === '"' || character === "\t") return character;
  return character === "\\" ? "\\\\" : plainOrEscaped(character);
}

function plainOrEscaped(character: string): string {
  if (PLAIN.test(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  // Half a character is no text for Pydantic, nor for a server.
  if (code >= 0xd800 && code <= 0xdfff) return "\\ufffd";
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code <= 0xffff) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}

function pythonNumber(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? "-0.0" : String(value);
  // JSON's 1e999.
  return `float("${value > 0 ? "inf" : "-inf"}")`;
}
