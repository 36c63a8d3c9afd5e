import { expect, test } from "vitest";
import { fullImageName, parseImageReference } from "../../src/image-reference.ts";
import { verifies } from "../requirements.ts";

const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;

test.each([
  ["box", "box:latest"],
  ["box:v1", "box:v1"],
  ["gradion-ai/ipybox", "gradion-ai/ipybox:latest"],
  ["localhost:5000/box", "localhost:5000/box:latest"],
  ["registry:5000/team/box:v1.2_3", "registry:5000/team/box:v1.2_3"],
  ["ghcr.io/gradion-ai/ipybox:0.1", "ghcr.io/gradion-ai/ipybox:0.1"],
  [`box@${DIGEST}`, `box@${DIGEST}`],
  [`registry:5000/box:v1@${DIGEST}`, `registry:5000/box@${DIGEST}`],
  [DIGEST, DIGEST],
])("%s means %s", (given, full) => {
  verifies("CONT-03");
  expect(fullImageName(given)).toBe(full);
});

test("a registry's port is not mistaken for a tag", () => {
  verifies("CONT-03");
  expect(parseImageReference("registry:5000/box")).toEqual({
    repository: "registry:5000/box",
    tag: undefined,
    digest: undefined,
  });
});

test.each([
  "",
  "Box",
  "box:",
  "box::v1",
  "box:v 1",
  ":v1",
  "a//b",
  "/box",
  "box@",
  "box@sha256:12",
  "-box",
  "box\n",
  "https://r/box",
])("%j is refused", (given) => {
  expect(() => fullImageName(given, "base")).toThrow(/^base is ".*", which is no name of an image/);
});
