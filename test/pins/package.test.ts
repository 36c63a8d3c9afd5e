import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as Record<string, unknown>;

test("the package is entered by these paths and no others", () => {
  expect(manifest["exports"]).toEqual({
    ".": { types: "./dist/index.d.ts", default: "./dist/index.js" },
    "./package.json": "./package.json",
  });
  expect(manifest["bin"]).toEqual({ ipybox: "dist/cli/main.js" });
  expect(manifest["type"]).toBe("module");
  expect(manifest["engines"]).toEqual({ node: ">=20.19" });
});

test("a dependency more is a decision", () => {
  expect(Object.keys(manifest["dependencies"] as object)).toEqual([
    "ajv",
    "cli-progress",
    "commander",
    "dockerode",
    "image-size",
    "smol-toml",
    "tar-stream",
    "ws",
    "zod",
  ]);
});
