import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { importsOf, wrongImports } from "../import-direction.ts";

const root = fileURLToPath(new URL("../../src", import.meta.url));

function sources(): { path: string; source: string }[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: relative(root, path).split(sep).join("/"), source: readFileSync(path, "utf8") }));
}

test("all imports of src go one way", () => {
  expect(sources().flatMap(({ source }) => importsOf(source)).length).toBeGreaterThan(150);
  expect(wrongImports(sources())).toEqual([]);
});

describe("an import is found wrong when", () => {
  test.each([
    [
      "the SDK takes from the command line",
      "client.ts",
      'import { log } from "./cli/print.ts";',
      "client.ts: imports cli/print.ts",
    ],
    ["the SDK takes from its own entry", "files.ts", 'import type { X } from "./index.ts";', "files.ts: imports index.ts"],
    ["the SDK takes from the agent", "link.ts", 'import "./agent/main.ts";', "link.ts: imports agent/main.ts"],
    ["the engine takes from the SDK", "engine/docker/x.ts", 'export * from "../../options.ts";', "imports options.ts"],
    ["the protocol takes from the SDK", "protocol/x.ts", 'import { a } from "../errors.ts";', "imports errors.ts"],
    ["the protocol takes a package", "protocol/x.ts", 'import WebSocket from "ws";', "imports the package ws"],
    ["the agent takes from the engine", "agent/x.ts", 'import { a } from "../engine/engine.ts";', "imports engine/engine.ts"],
    ["the agent takes the schemas' package", "agent/x.ts", 'import * as z from "zod";', "imports the package zod"],
    ["the inmost layer takes from the protocol", "internal/x.ts", 'import("../protocol/frame.ts");', "imports protocol/frame.ts"],
    ["it spans lines", "internal/x.ts", 'import {\n  a,\n  b,\n} from "../errors.ts";', "internal/x.ts: imports errors.ts"],
    ["it leaves src", "client.ts", 'import { a } from "../test/x.ts";', "imports ../test/x.ts from outside of src"],
    ["it can't be read", "client.ts", "await import(name);", "imports something that only shows at run time"],
    ["it is in a folder of no layer", "utils/x.ts", "", "src/utils/ belongs to no layer"],
  ])("%s", (_, path, source, message) => {
    const found = wrongImports([{ path, source }]);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(message);
  });
});

test("what is allowed, and what only looks like an import, is not found", () => {
  const allowed = [
    { path: "cli/x.ts", source: 'import { ExecutionClient } from "../index.ts";\nimport { Command } from "commander";' },
    { path: "client.ts", source: 'import { a } from "./link.ts";\nawait import("./engine/docker/docker-engine.ts");' },
    { path: "engine/docker/x.ts", source: 'import { IpyboxError } from "../../errors.ts";\nimport Docker from "dockerode";' },
    { path: "agent/x.ts", source: 'import { a } from "../protocol/frame.ts";\nimport { b } from "ws";\nimport "node:net";' },
    {
      path: "protocol/x.ts",
      source: '/** import { a } from "../errors.ts"; */\n// import "../errors.ts";\nimport * as z from "zod";',
    },
  ];
  expect(wrongImports(allowed)).toEqual([]);
});
