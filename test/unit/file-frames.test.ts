import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import {
  encodeFileFrame,
  FILE_HEADER_BYTES,
  type FileFrame,
  FileFrameDecoder,
  FileFrameKind,
  MAX_FILE_PAYLOAD_BYTES,
} from "../../src/protocol/file-frames.ts";
import { wireEntries, wireEntry, wireError, wireEvents, wireInfo, wireWatch } from "../../src/protocol/file-messages.ts";
import { bytesOf, fromWire, toWire } from "../../src/files/file-path.ts";
import { verifies } from "../requirements.ts";

const RUNS = { numRuns: 10_000 };
vi.setConfig({ testTimeout: 60_000 });
const kind = fc.constantFrom(...Object.values(FileFrameKind));
const frame = fc.record({ kind, payload: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)) });

/** Data frames as they were, however they were cut: their bytes in one. */
function joined(frames: readonly FileFrame[]): readonly (readonly [number, string])[] {
  const found: [number, string][] = [];
  for (const { kind, payload } of frames) {
    const last = found.at(-1);
    if (kind === FileFrameKind.data && payload.length === 0) continue;
    if (kind === FileFrameKind.data && last?.[0] === kind) last[1] += payload.toString("hex");
    else found.push([kind, payload.toString("hex")]);
  }
  return found;
}

/** Cuts bytes at these places. */
function pieces(bytes: Buffer, cuts: readonly number[]): readonly Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

describe("frames of file workers", () => {
  test("have the numbers that the worker's side has", () => {
    const source = readFileSync(new URL("../../python/ipybox_kernel/files/channel.py", import.meta.url), "utf8");
    const theirs = Object.fromEntries(
      [...source.matchAll(/^([A-Z]+) = (\d+)\b/gm)].map(([, name = "", value]) => [name, Number(value)]),
    );
    for (const [name, value] of Object.entries(FileFrameKind)) expect([name, theirs[name.toUpperCase()]]).toEqual([name, value]);
    expect(source).toContain('HEADER = struct.Struct("<IB")');
    expect(source).toContain("MAX_PAYLOAD = 1024 * 1024");
    expect([FILE_HEADER_BYTES, MAX_FILE_PAYLOAD_BYTES]).toEqual([5, 1024 * 1024]);
  });

  test("come back as they were sent, wherever the stream is cut", () => {
    verifies("LIFE-05", "FILE-02");
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 8 }), (frames, cuts) => {
        const stream = Buffer.concat(frames.map(({ kind, payload }) => encodeFileFrame(kind, payload)));
        const decoder = new FileFrameDecoder();
        const read = pieces(stream, cuts).flatMap((piece) =>
          [...decoder.push(piece)].map((one) => ({ ...one, payload: Buffer.from(one.payload) })),
        );
        expect(joined(read)).toEqual(joined(frames));
      }),
      RUNS,
    );
  });

  test("that are none are an error at once, and never more than a frame is kept", () => {
    verifies("LIFE-05");
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.array(fc.nat(), { maxLength: 4 }), (bytes, cuts) => {
        const decoder = new FileFrameDecoder();
        try {
          for (const piece of pieces(Buffer.from(bytes), cuts))
            for (const one of decoder.push(piece)) expect(one.payload.length).toBeLessThan(65);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      RUNS,
    );
    const tooLong = Buffer.from([1, 0, 16, 0, FileFrameKind.data]);
    expect(() => [...new FileFrameDecoder().push(tooLong)]).toThrow("1048577 bytes is too long");
    expect(() => [...new FileFrameDecoder().push(Buffer.from([0, 0, 0, 0, 99]))]).toThrow("kind 99");
  });

  test("with JSON that no worker sends are refused by its schema", () => {
    verifies("LIFE-05");
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        for (const schema of [wireEntries, wireEntry, wireError, wireEvents, wireInfo, wireWatch]) {
          expect(() => schema.safeParse(value)).not.toThrow();
        }
      }),
      RUNS,
    );
    expect(wireEntry.safeParse({ type: "file", name: "\u0100", mode: 0, size: 0 }).success).toBe(false);
    expect(wireEntry.safeParse({ type: "file", name: "a", mode: 0o10000, size: 0 }).success).toBe(false);
    expect(wireEntry.safeParse({ type: "device", name: "a" }).success).toBe(false);
  });
});

describe("paths", () => {
  test("of any bytes come back as they were, and as text where they are text", () => {
    verifies("FILE-01");
    const part = fc.uint8Array({ minLength: 1, maxLength: 40 }).filter((bytes) => !bytes.includes(0));
    fc.assert(
      fc.property(part, (bytes) => {
        const { path, pathBytes } = fromWire(toWire(bytes, "test"));
        expect(Buffer.from(pathBytes ?? path)).toEqual(Buffer.from(bytes));
        expect(bytesOf(pathBytes ?? path).toString("latin1")).toBe(toWire(bytes, "test"));
      }),
      RUNS,
    );
    expect(fromWire(toWire("ä/日本", "test"))).toEqual({ path: "ä/日本" });
    expect(fromWire(toWire(new Uint8Array([0x66, 0xff]), "test"))).toEqual({
      path: "f\ufffd",
      pathBytes: new Uint8Array([0x66, 0xff]),
    });
  });

  test.each<[unknown, string]>([
    ["", "must not be empty"],
    ["a\0b", "NUL"],
    [new Uint8Array([97, 0]), "NUL"],
    [7, "must be a string or a Uint8Array"],
    ["x".repeat(20_000), "must not be longer"],
  ])("that can't be any are refused: $1", (path, text) => {
    expect(() => toWire(path as string, "read")).toThrow(text);
  });
});
