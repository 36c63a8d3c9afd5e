import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mergeStreams } from "../../src/agent/merge.ts";
import { encodeFrame, type Frame, FrameKind, readFrames } from "../../src/protocol/frame.ts";
import { FUZZ, FUZZ_TIMEOUT_MS } from "../fuzz.ts";
import { verifies } from "../requirements.ts";

type Part = Pick<Frame, "kind" | "flags" | "execution" | "payload">;

const part = fc.record({
  kind: fc.constantFrom(FrameKind.stdout, FrameKind.stdout, FrameKind.stderr, FrameKind.message, FrameKind.call),
  flags: fc.constantFrom(0, 0, 1, 4),
  execution: fc.constantFrom(7, 7, 7, 0),
  payload: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(3_000))).map((bytes) => Buffer.from(bytes)),
});

describe("mergeStreams", () => {
  test(
    "gives what was there, in its order: neighbouring texts of a stream in one frame, all else as it was",
    () => {
      verifies("LIFE-05", "STREAM-03");
      fc.assert(
        fc.property(fc.array(part, { minLength: 1, maxLength: 60 }), (parts) => {
          const block = blockOf(parts);
          const isShort = block.length < 8 * 1024;
          const merged = [...readFrames(mergeStreams(block))].map(essence);
          expect(merged).toEqual((isShort ? parts : together(parts)).map(essence));
        }),
        FUZZ,
      );
    },
    FUZZ_TIMEOUT_MS,
  );

  test("leaves a few prints apart", () => {
    verifies("STREAM-01");
    const parts = Array.from({ length: 100 }, (_, line) => stdout(`${line}\n`));
    expect([...readFrames(mergeStreams(blockOf(parts)))]).toHaveLength(100);
  });

  test("puts many together", () => {
    verifies("STREAM-03");
    const parts = Array.from({ length: 1_000 }, (_, line) => stdout(`line ${line}\n`));
    const merged = mergeStreams(blockOf(parts));
    const [one, ...others] = [...readFrames(merged)];
    expect(others).toEqual([]);
    // Else what is kept for a client that comes back would take several times the memory that is counted.
    expect(merged.buffer.byteLength).toBe(merged.length);
    expect(one?.payload.toString()).toBe(parts.map(({ payload }) => payload.toString()).join(""));
  });
});

function stdout(text: string): Part {
  return { kind: FrameKind.stdout, flags: 0, execution: 7, payload: Buffer.from(text) };
}

function blockOf(parts: readonly Part[]): Buffer {
  return Buffer.concat(parts.map(({ kind, flags, execution, payload }) => encodeFrame(kind, payload, execution, flags)));
}

/** The same, in the plainest way. */
function together(parts: readonly Part[]): readonly Part[] {
  const all: Part[] = [];
  for (const next of parts) {
    const last = all.at(-1);
    const isSame = last?.kind === next.kind && last.flags === next.flags && last.execution === next.execution;
    if (last !== undefined && isSame && (next.kind === FrameKind.stdout || next.kind === FrameKind.stderr)) {
      all.splice(-1, 1, { ...last, payload: Buffer.concat([last.payload, next.payload]) });
    } else {
      all.push(next);
    }
  }
  return all;
}

function essence({ kind, flags, execution, payload }: Part): string {
  return `${kind} ${flags} ${execution} ${payload.toString("hex")}`;
}
