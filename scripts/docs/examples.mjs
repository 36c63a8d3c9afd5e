// Code blocks that show a part of an example: <!-- from examples/NAME.ts#region,region -->
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readBlocks } from "./markdown.mjs";

const MARKER = /^\s*<!-- from ([^#\s]+)#(\S+) -->\s*$/;

/** Whether a block is taken from an example. */
export function isTaken(block) {
  return MARKER.test(block.before);
}

/** Compares a page's blocks with the examples they are taken from; with `write`, makes them equal. */
export function checkTaken(root, page, { write }) {
  const problems = [];
  const text = readFileSync(join(root, page), "utf8");
  const lines = text.split("\n");
  // From the end, so that the places of the blocks before stay right.
  for (const block of readBlocks(text).reverse()) {
    const [, path, names] = MARKER.exec(block.before) ?? [];
    if (path === undefined) continue;
    const where = `${page}:${block.start}`;
    let shown;
    try {
      shown = readRegions(join(root, path), names.split(","));
    } catch (error) {
      problems.push(`${where}: ${path}: ${error.message}`);
      continue;
    }
    if (shown === block.content) continue;
    const content = shown.split("\n").map((line) => (line === "" ? "" : block.indent + line));
    lines.splice(block.start, block.end - block.start, ...content);
    if (!write) problems.push(`${where}: differs from ${path}#${names}; \`npm run check:docs -- --write\` takes it over`);
  }
  if (write && lines.join("\n") !== text) writeFileSync(join(root, page), lines.join("\n"));
  return problems.reverse();
}

/** The lines between `// #region NAME` and `// #endregion`, without their common indentation. */
function readRegions(path, names) {
  if (!existsSync(path)) throw new Error("there is no such file");
  const lines = readFileSync(path, "utf8").split("\n");
  return names.map((name) => readRegion(lines, name)).join("\n\n");
}

function readRegion(lines, name) {
  const start = lines.findIndex((line) => line.trim() === `// #region ${name}`);
  const end = lines.findIndex((line, at) => at > start && line.trim() === "// #endregion");
  if (start < 0 || end < 0) throw new Error(`it has no region ${name}`);
  const region = lines.slice(start + 1, end);
  const indents = region.filter((line) => line.trim() !== "").map((line) => /^ */.exec(line)[0].length);
  return region
    .map((line) => line.slice(Math.min(...indents)))
    .join("\n")
    .trim();
}
