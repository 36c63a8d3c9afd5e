import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { settle, TextFlow, textOf } from "../../src/text-flow.ts";
import { verifies } from "../requirements.ts";

type Piece = readonly ["stream" | "value", string];

function flow(pieces: readonly Piece[]): string {
  const texts = new TextFlow();
  return pieces.map(([kind, text]) => texts[kind](text)).join("");
}

describe("the texts of a cell follow each other as on a terminal:", () => {
  test.each<[string, readonly Piece[], string]>([
    [
      "streams as they are",
      [
        ["stream", "a"],
        ["stream", "b\n"],
        ["stream", "c"],
      ],
      "ab\nc",
    ],
    [
      "a value after a line",
      [
        ["stream", "a\n"],
        ["value", "1"],
      ],
      "a\n1",
    ],
    [
      "a value after half a line",
      [
        ["stream", "a"],
        ["value", "1"],
      ],
      "a\n1",
    ],
    ["a value alone", [["value", "1"]], "1"],
    [
      "values on lines of their own",
      [
        ["value", "1"],
        ["value", "2"],
      ],
      "1\n2",
    ],
    [
      "a stream after a value",
      [
        ["value", "1"],
        ["stream", "a"],
        ["stream", "b"],
      ],
      "1\nab",
    ],
    [
      "a stream after a value that ends its line",
      [
        ["value", "1\n"],
        ["stream", "a"],
      ],
      "1\na",
    ],
    [
      "nothing between",
      [
        ["value", "1"],
        ["stream", ""],
        ["stream", "a"],
      ],
      "1\na",
    ],
    [
      "an empty value",
      [
        ["stream", "a"],
        ["value", ""],
        ["stream", "b"],
      ],
      "a\n\nb",
    ],
  ])("%s", (_, pieces, text) => {
    verifies("EXEC-02");
    expect(flow(pieces)).toBe(text);
  });

  test("cutting a stream into other pieces changes nothing", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (pieces) => {
        expect(flow(pieces.map((text) => ["stream", text] as const))).toBe(pieces.join(""));
      }),
    );
  });
});

test("a bundle's text is its plain text, and an image's is none", () => {
  verifies("EXEC-08");
  expect(textOf({ "text/plain": "x", "text/html": "<b>x</b>" })).toBe("x");
  expect(textOf({ "text/plain": "<Figure>", "image/png": new Uint8Array() })).toBeUndefined();
  expect(textOf({ "text/html": "<b>x</b>" })).toBeUndefined();
  expect(textOf({ "text/plain": 5 })).toBeUndefined();
});

describe("a text with carriage returns and backspaces settles as on a terminal:", () => {
  test.each([
    ["10%\r50%\r100%\n", "100%\n"],
    ["long line\rshort\n", "shortline\n"],
    ["a\r\nb\r\n", "a\nb\n"],
    ["a\rb\r\n", "b\n"],
    ["ab\b\bc", "cb"],
    ["\b\b\bx", "x"],
    ["none", "none"],
  ])("%j becomes %j", (text, settled) => {
    verifies("OUT-02");
    expect(settle(text)).toBe(settled);
  });

  test("and has settled then", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", "b", "\r", "\n", "\b", "é") }), (text) => {
        const settled = settle(text);
        expect(settled).not.toMatch(/[\r\b]/);
        expect(settle(settled)).toBe(settled);
      }),
    );
  });
});
