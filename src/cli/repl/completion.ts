import type { ExecutionClient } from "../../client.ts";

/** The first completion in a container loads what completes, which was seen to take 3 s. */
const TIMEOUT_MS = 10_000;
const INDENT = "    ";

/** What Tab puts into a line, as readline wants it: the kernel's completions, at the start of a line an indent. */
export function completer(
  client: ExecutionClient,
  above: () => readonly string[],
): (line: string) => Promise<[matches: string[], replaced: string]> {
  return async (line) => {
    if (line.trim() === "") return [[`${line}${INDENT}`], line];
    const code = [...above(), line].join("\n");
    const { matches, start } = await client.complete(code, code.length, { timeoutMs: TIMEOUT_MS });
    const from = start - (code.length - line.length);
    return from < 0 ? [[], line] : [[...matches], line.slice(from)];
  };
}
