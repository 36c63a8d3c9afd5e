import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FrameSplitter } from "../../src/agent/kernel-socket.ts";
import {
  encodeFrame,
  endsExecution,
  encodeJsonFrame,
  FrameFlag,
  FrameKind,
  HEADER_BYTES,
  MAX_KERNEL_FRAME_BYTES,
  readFrame,
  readFrames,
  readSequence,
  writeSequence,
} from "../../src/protocol/frame.ts";
import { decodeLifecycle } from "../../src/protocol/lifecycle.ts";
import { decodeMessage } from "../../src/protocol/messages.ts";
import { FUZZ, FUZZ_TIMEOUT_MS } from "../fuzz.ts";
import { verifies } from "../requirements.ts";

interface Vectors {
  readonly headerBytes: number;
  readonly maxKernelFrameBytes: number;
  readonly kinds: Readonly<Record<string, number>>;
  readonly flags: Readonly<Record<string, number>>;
  readonly frames: readonly {
    readonly name: string;
    readonly kind: number;
    readonly flags: number;
    readonly execution: number;
    readonly payload: string;
    readonly bytes: string;
  }[];
  readonly messages: readonly {
    readonly name: string;
    readonly message: Readonly<Record<string, unknown>>;
    readonly buffers: readonly { readonly path: readonly [string, string]; readonly bytes: string }[];
    readonly payload: string;
  }[];
}

/** What `python/tests/test_frames.py` reads, too. */
const vectors = JSON.parse(readFileSync(new URL("../vectors/frames.json", import.meta.url), "utf8")) as Vectors;

const frame = fc.record({
  kind: fc.integer({ min: 0, max: 255 }),
  flags: fc.integer({ min: 0, max: 255 }),
  execution: fc.integer({ min: 0, max: 0xffff_ffff }),
  payload: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
});

describe("the wire format is that of the kernel:", () => {
  test("sizes, kinds and flags", () => {
    expect([HEADER_BYTES, MAX_KERNEL_FRAME_BYTES]).toEqual([vectors.headerBytes, vectors.maxKernelFrameBytes]);
    expect(FrameKind).toEqual(vectors.kinds);
    expect(FrameFlag).toEqual(vectors.flags);
  });

  test.each(vectors.frames)("$name", ({ kind, flags, execution, payload, bytes }) => {
    expect(encodeFrame(kind, Buffer.from(payload, "hex"), execution, flags).toString("hex")).toBe(bytes);
    expect(readFrame(Buffer.from(bytes, "hex"), 0)).toEqual({
      ...{ kind, flags, execution, sequence: 0 },
      payload: Buffer.from(payload, "hex"),
    });
  });

  test.each(vectors.messages)("$name", ({ message, buffers, payload }) => {
    const expected = structuredClone(message) as { data?: Record<string, unknown> };
    for (const { path, bytes } of buffers)
      Object.assign(expected.data ?? {}, { [path[1]]: new Uint8Array(Buffer.from(bytes, "hex")) });
    expect(decodeMessage(Buffer.from(payload, "hex"))).toEqual(expected);
  });
});

describe("frames", () => {
  test("come back as they were written, one or many", () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), (frames) => {
        const block = Buffer.concat(frames.map((one) => encodeFrame(one.kind, one.payload, one.execution, one.flags)));
        expect([...readFrames(block)]).toEqual(frames.map((one) => ({ ...one, sequence: 0 })));
      }),
    );
  });

  test("hold any sequence that a number can", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (sequence) => {
        const bytes = encodeFrame(FrameKind.stdout, Buffer.from("x"));
        writeSequence(bytes, 0, sequence);
        expect(readSequence(bytes, 0)).toBe(sequence);
        expect(readFrame(bytes, 0)).toMatchObject({ sequence, kind: FrameKind.stdout, execution: 0 });
      }),
    );
  });

  test("cut anywhere are refused", () => {
    const block = Buffer.concat([
      encodeFrame(1, Buffer.from("one")),
      encodeFrame(2, Buffer.alloc(0)),
      encodeFrame(3, Buffer.from("x")),
    ]);
    const ends = new Set([0, 23, 43, block.length]);
    for (let length = 0; length <= block.length; length += 1) {
      const read = (): number => [...readFrames(block.subarray(0, length))].length;
      if (ends.has(length)) expect(read).not.toThrow();
      else expect(read).toThrow(RangeError);
    }
  });

  test("that are none are refused, and nothing else happens", { timeout: FUZZ_TIMEOUT_MS }, () => {
    verifies("LIFE-05");
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        try {
          for (const { payload } of readFrames(Buffer.from(bytes))) expect(payload.length).toBeLessThan(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      FUZZ,
    );
  });

  test("of the agent's own are read as what it has said", () => {
    const bytes = encodeJsonFrame(FrameKind.lifecycle, { type: "kernel_restarted" }, 5, FrameFlag.last);
    const { payload, ...header } = readFrame(bytes, 0);
    expect(header).toEqual({ kind: FrameKind.lifecycle, flags: FrameFlag.last, execution: 5, sequence: 0 });
    expect(decodeLifecycle(payload)).toEqual({ type: "kernel_restarted" });
  });

  test("end an execution only with the last part of its last message", () => {
    const { last, more, failed, continued, late } = FrameFlag;
    expect([last, last | failed, last | continued].map(endsExecution)).toEqual([true, true, true]);
    expect([0, more, late, last | more, last | more | continued].map(endsExecution)).toEqual([false, false, false, false, false]);
  });
});

describe("a byte stream is cut into whole frames", () => {
  const frames = ["", "a", "b".repeat(50), "c"].map((text, index) => encodeFrame(index + 1, Buffer.from(text), index));
  const stream = Buffer.concat(frames);

  function split(chunks: readonly Buffer[]): Buffer[] {
    const blocks: Buffer[] = [];
    const splitter = new FrameSplitter((block) => blocks.push(Buffer.from(block)));
    for (const chunk of chunks) splitter.push(chunk);
    return blocks;
  }

  test("at whichever byte it is split in two", () => {
    for (let at = 0; at <= stream.length; at += 1) {
      const blocks = split([stream.subarray(0, at), stream.subarray(at)]);
      expect(blocks.flatMap((block) => [...readFrames(block)].map(({ kind }) => kind))).toEqual([1, 2, 3, 4]);
      expect(Buffer.concat(blocks).equals(stream)).toBe(true);
    }
  });

  test("byte by byte, each as soon as it is whole", () => {
    expect(split([...stream].map((byte) => Buffer.from([byte])))).toEqual(frames);
  });

  test("in any pieces", () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 6 }), fc.array(fc.nat(90), { maxLength: 40 }), (many, lengths) => {
        const whole = Buffer.concat(many.map((one) => encodeFrame(one.kind, one.payload, one.execution, one.flags)));
        const pieces: Buffer[] = [];
        let offset = 0;
        for (const length of lengths) pieces.push(whole.subarray(offset, (offset += length)));
        const blocks = split([...pieces, whole.subarray(offset)]);
        expect(Buffer.concat(blocks).equals(whole)).toBe(true);
        expect(blocks.flatMap((block) => [...readFrames(block)])).toHaveLength(many.length);
      }),
    );
  });

  test("up to the longest that a kernel may send; a longer one is refused by its header", () => {
    const longest = encodeFrame(1, Buffer.alloc(MAX_KERNEL_FRAME_BYTES - HEADER_BYTES));
    expect(split([longest])).toHaveLength(1);
    const longer = encodeFrame(1, Buffer.alloc(MAX_KERNEL_FRAME_BYTES - HEADER_BYTES + 1)).subarray(0, HEADER_BYTES);
    expect(() => split([longer])).toThrow("a kernel sent a frame of 32769 bytes");
  });
});
