// Links between the pages and to files of the project.
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { anchorsOf, proseLines } from "./markdown.mjs";

const INLINE = /\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g;
const REFERENCE = /^\s*\[[^\]]+\]:\s+(\S+)/g;

/** Relative links of a page that lead nowhere, and anchors that no heading has. */
export function checkLinks(root, page) {
  const problems = [];
  const path = join(root, page);
  for (const [at, line] of proseLines(readFileSync(path, "utf8")).entries()) {
    for (const [, target] of [...line.matchAll(INLINE), ...line.matchAll(REFERENCE)]) {
      if (/^[a-z][a-z+.-]*:/.test(target)) continue;
      const [file, anchor] = target.split("#");
      const absolute = file === "" ? path : resolve(dirname(path), decodeURIComponent(file));
      if (!existsSync(absolute)) problems.push(`${page}:${at + 1}: the link to ${target} leads nowhere`);
      else if (anchor && absolute.endsWith(".md") && statSync(absolute).isFile() && !anchorsOf(absolute).has(anchor))
        problems.push(`${page}:${at + 1}: the link to ${target}: no heading there has that anchor`);
    }
  }
  return problems;
}
