import { type LogicalLine, logicalLines } from "./logical-lines.ts";

/** Whether what was typed so far is a cell, or goes on in the next line. */
export type CompletenessCheck = (code: string) => Promise<boolean> | boolean;

/**
 * A rule that needs no kernel: open brackets, triple quotes and a `\` at the end go on, and so does a block (a line that
 * ends in `:`, a decorator, a `%%magic`) until a blank line, or a line behind it that is not indented.
 */
export const isComplete = (code: string): boolean => {
  const endsBlank = /\n[ \t]*$/.test(code);
  if (code.trimStart().startsWith("%%")) return endsBlank;
  const { lines, open } = logicalLines(code);
  if (open) return false;
  const last = lines.at(-1);
  return endsBlank || last === undefined || !lines.some(beginsBlock) || standsBehind(last);
};

function beginsBlock({ firstWord, lastCharacter }: LogicalLine): boolean {
  return lastCharacter === ":" || firstWord === "@";
}

/** A line that no block goes on in. */
function standsBehind(line: LogicalLine): boolean {
  return !line.indented && !beginsBlock(line) && !["elif", "else", "except", "finally"].includes(line.firstWord);
}
