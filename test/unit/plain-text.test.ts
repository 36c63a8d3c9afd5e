import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { plainText } from "../../src/plain-text.ts";
import { verifies } from "../requirements.ts";

const ESC = "\u001b";
const ST = `${ESC}\\`;

describe("plain text", () => {
  it.each([
    ["stays as it is", "a\tb\nc é 日本 👩‍👩‍👧 \ud83d\ude00", "a\tb\nc é 日本 👩‍👩‍👧 \ud83d\ude00"],
    ["loses colours and movements", `${ESC}[1;31mred${ESC}[0m${ESC}[2J${ESC}[?25l${ESC}[10;3H.`, "red."],
    ["loses titles and links, but not the link's text", `${ESC}]0;title\u0007${ESC}]8;;http://x${ST}text${ESC}]8;;${ST}`, "text"],
    ["loses pictures", `a${ESC}_Gf=100;${"A".repeat(1000)}${ST}b${ESC}Pq#0${ST}c`, "abc"],
    ["loses the forms of eight bits", "a\u009b31mb\u009dtitle\u009cc", "abc"],
    ["keeps what stands behind a sequence that has no end", `a${ESC}]0;title\nnext`, "a0;title\nnext"],
    ["loses what begins at its end", `a${ESC}`, "a"],
    ["loses other control characters", "a\0b\bc\u007fd\u0085e\r\nf\rg\u000bh", "abcde\nfgh"],
    ["loses what hides or turns text", "a\u202eb\u2066c\u{e0041}d\u200fe", "abcde"],
    ["has no half characters", "a\ud800b\udc00", "a\ufffdb\ufffd"],
    ["can't be made of the pieces of a sequence", `${ESC}${ESC}[31m[31mred`, "[31mred"],
  ])("%s", (_, text, expected) => {
    verifies("MCP-03");
    expect(plainText(text)).toBe(expected);
  });

  it("has no control character whatever it is made of, and changes no more", () => {
    verifies("MCP-03", "LIFE-05");
    const unit = fc.oneof(
      fc.constantFrom(ESC, "[", "]", "P", "_", "\\", ";", "m", "0", "\u0007", "\u009b", "\u009c", "\u009d", "\u0090", "\r", "\n"),
      fc.integer({ min: 0, max: 0xff }).map((code) => String.fromCharCode(code)),
      fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
    );
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 60 }), (units) => {
        const plain = plainText(units.join(""));
        // eslint-disable-next-line no-control-regex
        expect(plain).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f]|\p{Surrogate}/u);
        expect(plainText(plain)).toBe(plain);
      }),
      { numRuns: 10_000 },
    );
  });

  it.each([ESC, `${ESC}]`, `${ESC}[`, "\u009d", "\u0090", `${ESC}P`, `${ESC}[0;`, `${ESC}${ESC}]`, "\u009b0"])(
    "takes a time that grows with the text's length alone, for %j over and over",
    (part) => {
      verifies("LIFE-05");
      // Were it the square of that, it would take hours.
      expect(plainText(part.repeat(2_000_000)).length).toBeLessThan(part.length * 2_000_000);
    },
  );
});
