/** Ends a control string: BEL, ST. */
const STRING_END = "(?:\\x07|\\x1b\\\\|\\x9c)";

/** What a terminal would act on. Each part reads every character at most once, however often it begins. */
const SEQUENCES = new RegExp(
  [
    // Window titles, links, pictures: with the text in them.
    `(?:\\x1b[\\]P_^X]|[\\x9d\\x90\\x9f\\x9e\\x98])[^\\x07\\x1b\\x80-\\x9f]*${STRING_END}`,
    // Colours, movements.
    "(?:\\x1b\\[|\\x9b)[0-?]*[ -/]*[@-~]?",
    "\\x1b[ -/]*[0-~]?",
  ].join("|"),
  "g",
);

/** Control characters but tab and line feed, and characters that change the order of others or are never seen. */
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/gu;

/**
 * A text that a model, a log or a terminal can be given: escape sequences and control characters are taken out, only tabs and
 * line feeds are left; so are characters that hide text from its reader or show it in another order. Half characters
 * (lone surrogates) become U+FFFD.
 */
export function plainText(text: string): string {
  return text
    .replaceAll("\r\n", "\n")
    .replace(SEQUENCES, "")
    .replace(CONTROLS, "")
    .replace(/\p{Surrogate}/gu, "\ufffd");
}
