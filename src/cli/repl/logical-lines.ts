/** A line as Python counts them: brackets, triple quotes and `\` join several of a file. */
export interface LogicalLine {
  readonly indented: boolean;
  /** Its first word or character. */
  readonly firstWord: string;
  /** Its last character that is no comment. */
  readonly lastCharacter: string;
}

// Strings (a triple quote may miss its end), comments, joined lines, words, and all else by the character.
const TOKEN = /("""|''')(?:\\[^]|(?!\1)[^])*(\1)?|(["'])(?:\\.|(?!\3).)*\3?|#.*|\\(?:\n|$)|\w+|[^]/g;

/** The lines that hold code; `open` when the last one goes on. */
export function logicalLines(code: string): { readonly lines: readonly LogicalLine[]; readonly open: boolean } {
  const lines: LogicalLine[] = [];
  let depth = 0;
  let first: { readonly word: string; readonly indented: boolean } | undefined;
  let lastCharacter = "";
  const end = (): void => {
    if (first !== undefined) lines.push({ indented: first.indented, firstWord: first.word, lastCharacter });
    first = undefined;
  };
  for (const match of withoutCommands(code).matchAll(TOKEN)) {
    const [token, tripleQuote, closed] = match;
    const joins = token === "\\" && match.index === match.input.length - 1;
    if (joins || (tripleQuote !== undefined && closed === undefined)) return { lines, open: true };
    if ("([{".includes(token)) depth += 1;
    if (")]}".includes(token)) depth = Math.max(0, depth - 1);
    if (token === "\n" && depth === 0) {
      end();
    } else if (!/^(?:\s|#|\\\n)/.test(token)) {
      first ??= { word: token, indented: match.index > 0 && match.input[match.index - 1] !== "\n" };
      lastCharacter = token.at(-1) ?? "";
    }
  }
  end();
  return { lines, open: depth > 0 };
}

/** Lines for a shell or a magic have brackets and quotes of their own. */
function withoutCommands(code: string): string {
  return code.replace(/^([ \t]*)[!%].*$/gm, "$1pass");
}
