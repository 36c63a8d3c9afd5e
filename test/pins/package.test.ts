import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as Record<string, unknown>;

test("the package is entered by these paths and no others", () => {
  expect(manifest["exports"]).toEqual({
    ".": { types: "./dist/index.d.ts", default: "./dist/index.js" },
    "./ai-sdk": { types: "./dist/frameworks/ai-sdk.d.ts", default: "./dist/frameworks/ai-sdk.js" },
    "./langchain": { types: "./dist/frameworks/langchain.d.ts", default: "./dist/frameworks/langchain.js" },
    "./openai-agents": { types: "./dist/frameworks/openai-agents.d.ts", default: "./dist/frameworks/openai-agents.js" },
    "./package.json": "./package.json",
  });
  expect(manifest["bin"]).toEqual({ ipybox: "dist/cli/main.js" });
  expect(manifest["type"]).toBe("module");
  expect(manifest["engines"]).toEqual({ node: ">=20.19" });
});

test("a dependency more is a decision", () => {
  expect(Object.keys(manifest["dependencies"] as object)).toEqual([
    "@modelcontextprotocol/client",
    "@modelcontextprotocol/server",
    "ajv",
    "cli-progress",
    "commander",
    "dockerode",
    "image-size",
    "pngjs",
    "smol-toml",
    "tar-stream",
    "ws",
    "zod",
  ]);
});

test("the frameworks that it has tools for are asked of nobody", () => {
  const names = ["@langchain/core", "@openai/agents", "ai"];
  expect(Object.keys(manifest["peerDependencies"] as object)).toEqual(names);
  expect(manifest["peerDependenciesMeta"]).toEqual(Object.fromEntries(names.map((name) => [name, { optional: true }])));
});
