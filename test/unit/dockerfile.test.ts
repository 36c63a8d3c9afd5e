import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { verifies } from "../requirements.ts";

const recipe = readFileSync(new URL("../../image/Dockerfile", import.meta.url), "utf8").replaceAll("\\\n", " ");

/** Names that lines of a kind give. */
const namesIn = (kind: "ARG" | "ENV"): readonly string[] =>
  [...recipe.matchAll(new RegExp(`^${kind} (.*)$`, "gm"))].flatMap(([, rest = ""]) =>
    [...rest.matchAll(/(?:^|\s)([A-Z][A-Z0-9_]*)(?==|\s|$)/g)].map(([, name = ""]) => name),
  );

test("an image can be the base of another that preloads something else", () => {
  verifies("IMG-06");
  // What a base has set by ENV wins over an ARG of the same name.
  const variables = new Set(namesIn("ENV"));
  expect(variables).toContain("IPYBOX_PRELOAD");
  expect(namesIn("ARG")).toContain("PRELOAD");
  expect(namesIn("ARG").filter((name) => variables.has(name))).toEqual(["IPYBOX_GID"]);
});
