// Code blocks that are not taken from an example are compiled against the package.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { isTaken } from "./examples.mjs";
import { readBlocks } from "./markdown.mjs";

/** Names that a block may use as if the lines before it had declared them. */
const CONTEXT = `
declare const container: import("ipybox").ExecutionContainer;
declare const client: import("ipybox").ExecutionClient;
declare const execution: import("ipybox").Execution;
declare const result: import("ipybox").ExecutionResult;
declare const code: string;
`;

/** Compiles all `ts` blocks of the pages; each is a module of its own. */
export function compileBlocks(repository, root, pages) {
  const cache = join(repository, ".cache");
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, "docs-"));
  try {
    const places = new Map();
    for (const page of pages) {
      for (const block of readBlocks(readFileSync(join(root, page), "utf8"))) {
        if (block.language !== "ts" || isTaken(block)) continue;
        const name = `block${places.size}.ts`;
        places.set(name, { page, start: block.start });
        writeFileSync(join(directory, name), `${block.content}\n`);
      }
    }
    if (places.size === 0) return [];
    writeFileSync(join(directory, "context.d.ts"), CONTEXT);
    const config = { extends: relative(directory, join(repository, "tsconfig.check.json")), include: ["."] };
    writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(config));
    return compile(repository, directory, places);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function compile(repository, directory, places) {
  const tsc = join(repository, "node_modules/typescript/bin/tsc");
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, "-p", directory, "--pretty", "false"], {
    encoding: "utf8",
    cwd: directory,
  });
  if (status === 0) return [];
  const output = `${stdout}${stderr}`.trimEnd().split("\n");
  return output.map((line) => {
    const [, name, row, column, message] = /^(block\d+\.ts)\((\d+),(\d+)\): (.*)$/.exec(line) ?? [];
    const place = places.get(name);
    return place === undefined ? line : `${place.page}:${place.start + Number(row)}:${column}: ${message}`;
  });
}
