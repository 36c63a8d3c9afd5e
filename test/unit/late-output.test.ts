import { describe, expect, it } from "vitest";
import { LateOutputs } from "../../src/late-output.ts";
import { FrameFlag, FrameKind, type Frame } from "../../src/protocol/frame.ts";
import { verifies } from "../requirements.ts";

const MIB = 1024 * 1024;
const half = Buffer.alloc(MIB);

function part(execution: number, payload: Buffer, flags: number): Frame {
  return { kind: FrameKind.message, flags: FrameFlag.late | flags, execution, sequence: 1, payload };
}

/** A whole message in two frames. */
function halves(text: string): readonly [Buffer, Buffer] {
  const json = Buffer.from(JSON.stringify({ type: "display_data", data: { "text/plain": text }, metadata: {}, transient: {} }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return [Buffer.concat([length, json.subarray(0, 10)]), json.subarray(10)];
}

describe("late messages in parts", () => {
  it("are put together, each execution's apart", () => {
    verifies("OUT-06");
    const late = new LateOutputs();
    const [first, second] = halves("one");
    expect(late.read(part(1, first, FrameFlag.more))).toBeUndefined();
    expect(late.read(part(2, first, FrameFlag.more))).toBeUndefined();
    expect(late.read(part(1, second, FrameFlag.continued))?.event).toMatchObject({ data: { "text/plain": "one" } });
    expect(late.read(part(2, second, FrameFlag.continued))?.executionId).toBe("00000002");
  });

  it("whose ends never come are given up before they fill the memory", () => {
    verifies("OUT-08");
    const late = new LateOutputs();
    const [first, second] = halves("kept");
    late.read(part(999, first, FrameFlag.more));
    late.read(part(1, half, FrameFlag.more));
    for (let more = 0; more < 64; more += 1) late.read(part(1, half, FrameFlag.more | FrameFlag.continued));
    expect(late.read(part(999, second, FrameFlag.continued))).toBeUndefined();
    late.read(part(998, first, FrameFlag.more));
    expect(late.read(part(998, second, FrameFlag.continued))?.event.type).toBe("display_data");
  });
});
