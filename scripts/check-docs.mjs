// Keeps the documentation true: its code is that of the examples or compiles, its links lead somewhere,
// every exported name has a doc comment. `npm run check:docs -- --write` takes over what the examples have.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { compileBlocks } from "./docs/compile.mjs";
import { checkTaken } from "./docs/examples.mjs";
import { checkExports } from "./docs/exports.mjs";
import { checkLinks } from "./docs/links.mjs";
import { findPages, readBlocks } from "./docs/markdown.mjs";

const MAX_README_LINES = 199;
/** Other names of TypeScript and JavaScript, under which a block would escape the checks. */
const OTHER_NAMES = ["typescript", "js", "javascript", "mjs", "mts", "tsx", "jsx"];

const repository = fileURLToPath(new URL("..", import.meta.url));
const flags = process.argv.slice(2);
const write = flags.includes("--write");
// Another project can be checked against this package: the tests do that.
const root = resolve(flags.find((flag) => !flag.startsWith("--")) ?? repository);

const pages = findPages(root);
const problems = [
  ...pages.flatMap((page) => checkTaken(root, page, { write })),
  ...pages.flatMap(checkLanguages),
  ...compileBlocks(repository, root, pages),
  ...pages.flatMap((page) => checkLinks(root, page)),
  ...checkExports(root),
  ...checkReadme(),
];
for (const problem of problems) console.error(problem);
console.log(`${pages.length} pages, ${problems.length === 0 ? "no problem" : `problems: ${problems.length}`}`);
process.exitCode = problems.length === 0 ? 0 : 1;

function checkLanguages(page) {
  return readBlocks(readFileSync(join(root, page), "utf8"))
    .filter(({ language }) => OTHER_NAMES.includes(language))
    .map(({ start, language }) => `${page}:${start}: a block of the language ${language} is not checked; write ts`);
}

function checkReadme() {
  if (!pages.includes("README.md")) return ["README.md is missing"];
  const lines = readFileSync(join(root, "README.md"), "utf8").trimEnd().split("\n").length;
  return lines <= MAX_README_LINES ? [] : [`README.md has ${lines} lines; at most ${MAX_README_LINES} are read`];
}
