// What the checks need to know of a Markdown file.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The pages of a project, as paths below its root. */
export function findPages(root) {
  const below = (directory) =>
    existsSync(join(root, directory))
      ? readdirSync(join(root, directory), { withFileTypes: true })
          .filter((entry) => entry.isFile() && entry.name.endsWith(".md"))
          .map((entry) => join(directory, entry.name))
      : [];
  return [...below(""), ...below("docs")].sort();
}

/**
 * The fenced blocks of a page: language, content, the lines it starts and ends at (from 0, without the
 * fences), and the text that stands before it.
 */
export function readBlocks(text) {
  const lines = text.split("\n");
  const blocks = [];
  let open;
  for (const [at, line] of lines.entries()) {
    const [, indent = "", fence = "", language = ""] = /^( *)(`{3,}|~{3,})\s*(\S*)/.exec(line) ?? [];
    if (open === undefined && fence !== "") {
      open = { fence, indent, language, start: at + 1, before: textBefore(lines, at) };
    } else if (open !== undefined && line.trim() === open.fence) {
      const content = lines.slice(open.start, at).map((text) => text.slice(open.indent.length));
      blocks.push({ ...open, end: at, content: content.join("\n") });
      open = undefined;
    }
  }
  return blocks;
}

function textBefore(lines, at) {
  return lines.slice(0, at).findLast((line) => line.trim() !== "") ?? "";
}

/** The page without its code, line by line, so that nothing in code is taken for a link or a heading. */
export function proseLines(text) {
  const lines = text.split("\n");
  for (const { start, end } of readBlocks(text)) lines.fill("", start - 1, end + 1);
  return lines.map((line) => line.replace(/`[^`]*`/g, (code) => " ".repeat(code.length)));
}

/** What `#anchor` may be on a page, as GitHub makes it of the headings. */
export function anchorsOf(path) {
  const text = readFileSync(path, "utf8");
  const inCode = new Set(readBlocks(text).flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i)));
  const anchors = new Set();
  for (const [at, line] of text.split("\n").entries()) {
    const heading = /^#{1,6} (.+)$/.exec(line)?.[1];
    if (heading === undefined || inCode.has(at)) continue;
    const plain = heading
      .replace(/[`*]|\]\([^)]*\)|\[/g, "")
      .trim()
      .toLowerCase();
    anchors.add(plain.replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-"));
  }
  return anchors;
}
