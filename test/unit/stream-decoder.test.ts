import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FrameFlag } from "../../src/protocol/frame.ts";
import { StreamDecoder } from "../../src/stream-decoder.ts";
import { verifies } from "../requirements.ts";

/** UTF-8 as Python's `surrogatepass` writes it. */
function encode(text: string): Buffer {
  const parts = Array.from(text, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0xd800 || code > 0xdfff) return Buffer.from(character);
    return Buffer.from([0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]);
  });
  return Buffer.concat(parts);
}

const decode = (...payloads: readonly Buffer[]): string => {
  const decoder = new StreamDecoder();
  return payloads.map((payload) => decoder.decode({ flags: 0, payload })).join("") + decoder.end();
};

const decodeRaw = (...payloads: readonly Buffer[]): string => {
  const decoder = new StreamDecoder();
  return payloads.map((payload) => decoder.decode({ flags: FrameFlag.raw, payload })).join("") + decoder.end();
};

describe("text that Python has written", () => {
  test("comes back as it was, lone surrogates included", () => {
    verifies("EXEC-04", "EXEC-12");
    expect(decode(encode("a\ud800b\udfff\ud83d\ude00\ue000\ud7ff\ufeff\0"))).toBe(
      "a\ud800b\udfff\ud83d\ude00\ue000\ud7ff\ufeff\0",
    );
    const text = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) });
    fc.assert(
      fc.property(text, (given) => {
        expect(decode(encode(given))).toBe(given);
      }),
      { numRuns: 5_000 },
    );
  });

  test("that is no UTF-8 at all is still a text", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(typeof decode(Buffer.from(bytes))).toBe("string");
      }),
    );
    expect(decode(Buffer.from([0xed, 0xa0]))).toMatch(/^\ufffd+$/);
    expect(decode(Buffer.from([0xed]))).toBe("\ufffd");
  });
});

describe("bytes that came by the file descriptor", () => {
  test("are put together to characters, wherever they were cut", () => {
    verifies("STREAM-03");
    const bytes = Buffer.from("a ü € 😀 z");
    for (let at = 0; at <= bytes.length; at += 1) {
      expect(decodeRaw(bytes.subarray(0, at), bytes.subarray(at))).toBe("a ü € 😀 z");
    }
    expect(decodeRaw(...[...bytes].map((byte) => Buffer.from([byte])))).toBe("a ü € 😀 z");
  });

  test("that are none show as replaced", () => {
    expect(decodeRaw(Buffer.from([0x61, 0xff, 0x62]))).toBe("a\ufffdb");
    expect(decodeRaw(Buffer.from([0xe2, 0x82]))).toBe("\ufffd");
  });
});
