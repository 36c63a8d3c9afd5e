// Every name that the package exports has a doc comment where it is declared.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const EXPORT = /export\s+(?:type\s+)?\{([^}]*)\}\s*from\s*"([^"]+)"/g;

/** Exported names without a doc comment. */
export function checkExports(root) {
  const index = join(root, "src/index.ts");
  if (!existsSync(index)) return ["src/index.ts is missing"];
  const problems = [];
  let count = 0;
  for (const [, names, from] of readFileSync(index, "utf8").matchAll(EXPORT)) {
    const lines = readFileSync(join(dirname(index), from), "utf8").split("\n");
    for (const entry of names.split(",").map((name) => name.trim())) {
      const name = entry.replace(/^type\s+/, "").replace(/\s+as\s+.*$/, "");
      if (name === "") continue;
      count += 1;
      const problem = problemOf(lines, name);
      if (problem !== undefined) problems.push(`src/index.ts: ${name} (${from}) ${problem}`);
    }
  }
  return count === 0 ? ["src/index.ts: no exported names are found"] : problems;
}

function problemOf(lines, name) {
  const declaration = new RegExp(
    `^export (?:declare )?(?:abstract )?(?:async )?(?:class|interface|type|const|function\\*?|let) ${name}\\b`,
  );
  const at = lines.findIndex((line) => declaration.test(line));
  if (at < 0) return "is not declared there";
  return (lines[at - 1] ?? "").trimEnd().endsWith("*/") ? undefined : "has no doc comment";
}
