import { describe, expect, test } from "vitest";
import { REPLAY_BYTES, REPLAY_MS, ReplayBuffer } from "../../src/agent/replay.ts";
import { ReplayBudget } from "../../src/agent/replay-budget.ts";
import { encodeFrame, FrameFlag, FrameKind, readFrames, writeSequence } from "../../src/protocol/frame.ts";
import { verifies } from "../requirements.ts";

/** Keeps `count` more frames, whose payloads have `bytes` bytes each, as one block. */
function push(buffer: ReplayBuffer, count: number, { bytes = 1, now = 0 } = {}): void {
  const frames = Array.from({ length: count }, (_, index) => {
    const frame = encodeFrame(1, Buffer.alloc(bytes), 7);
    writeSequence(frame, 0, buffer.nextSequence + index);
    return frame;
  });
  buffer.push(Buffer.concat(frames), count, now);
}

function sequencesAfter(buffer: ReplayBuffer, sequence: number): number[] {
  return [...buffer.after(sequence)].flatMap((bytes) => [...readFrames(bytes)].map((frame) => frame.sequence));
}

describe("the output that is kept for a client that comes back", () => {
  test("is what follows the last frame that it has, also from the middle of a block", () => {
    verifies("KERN-08");
    const buffer = new ReplayBuffer();
    expect(buffer.startAfter(0)).toBe(1);
    expect(sequencesAfter(buffer, 0)).toEqual([]);
    push(buffer, 3, { bytes: 10 });
    push(buffer, 1, { bytes: 5 });
    push(buffer, 3, { bytes: 0 });
    const all = [1, 2, 3, 4, 5, 6, 7];
    for (let sequence = 0; sequence <= 7; sequence += 1) {
      expect(sequencesAfter(buffer, sequence)).toEqual(all.slice(sequence));
      expect(buffer.startAfter(sequence)).toBe(sequence + 1);
    }
    expect(buffer.startAfter(99)).toBe(buffer.nextSequence);
    expect([...buffer.gone]).toEqual([]);
  });

  test("is at least so many bytes, and hardly more; how much is gone can be told", () => {
    verifies("KERN-08");
    const buffer = new ReplayBuffer();
    const size = 64 * 1024;
    for (let written = 0; written < 2 * REPLAY_BYTES; written += size) push(buffer, 1, { bytes: size });
    const kept = [...buffer.after(0)].reduce((sum, { length }) => sum + length, 0);
    expect(kept).toBeGreaterThanOrEqual(REPLAY_BYTES);
    expect(kept).toBeLessThan(REPLAY_BYTES + 2 * (size + 20));
    const start = buffer.startAfter(0);
    expect(start).toBe(sequencesAfter(buffer, 0)[0]);
    expect([...buffer.gone]).toEqual([[7, (start - 1) * size]]);
    expect(buffer.startAfter(1)).toBe(start);
  });

  test("is hardly older than its time, but always the last block", () => {
    const buffer = new ReplayBuffer();
    push(buffer, 1, { now: 0 });
    push(buffer, 1, { now: 20_000 });
    push(buffer, 1, { now: REPLAY_MS - 1 });
    expect(sequencesAfter(buffer, 0)).toEqual([1, 2, 3]);
    push(buffer, 1, { now: REPLAY_MS });
    expect(sequencesAfter(buffer, 0)).toEqual([2, 3, 4]);
    push(buffer, 1, { now: 10 * REPLAY_MS, bytes: 2 * REPLAY_BYTES });
    expect(sequencesAfter(buffer, 0)).toEqual([5]);
  });

  test("is counted by execution when it is gone; ends, late output and the agent's own words are none", () => {
    verifies("KERN-08");
    const buffer = new ReplayBuffer();
    const of = (kind: number, execution: number, flags = 0): Buffer => encodeFrame(kind, Buffer.alloc(10), execution, flags);
    const blocks = [
      of(FrameKind.stdout, 1),
      of(FrameKind.message, 1, FrameFlag.more),
      of(FrameKind.message, 1, FrameFlag.continued),
      of(FrameKind.message, 1, FrameFlag.last | FrameFlag.more),
      of(FrameKind.message, 1, FrameFlag.last | FrameFlag.continued),
      of(FrameKind.stdout, 1, FrameFlag.late),
      of(FrameKind.lifecycle, 2),
      of(FrameKind.stderr, 2, FrameFlag.raw),
    ];
    buffer.push(Buffer.concat(blocks), blocks.length, 0);
    buffer.push(of(FrameKind.stdout, 3), 1, REPLAY_MS);
    expect([...buffer.gone]).toEqual([
      [1, 30],
      [2, 10],
    ]);
  });

  test("stays right through thousands of small blocks", () => {
    const buffer = new ReplayBuffer();
    for (let second = 1; second <= 10_000; second += 1) push(buffer, 1, { now: second * 1_000 });
    // What came within ten seconds is kept and dropped together.
    const oldest = 10_000 - REPLAY_MS / 1_000 + 1;
    expect(buffer.startAfter(0)).toBeLessThanOrEqual(oldest);
    expect(buffer.startAfter(0)).toBeGreaterThan(oldest - 11);
    expect(sequencesAfter(buffer, 9_995)).toEqual([9_996, 9_997, 9_998, 9_999, 10_000]);
  });
});

describe("what all kernels of a sandbox keep together", () => {
  const kept = (buffers: readonly ReplayBuffer[]): number => buffers.reduce((sum, { keptBytes }) => sum + keptBytes, 0);

  test("is bounded, and the one that keeps most has to let go", () => {
    verifies("KERN-08", "SEC-03");
    const budget = new ReplayBudget(1_000_000);
    const [small, large] = [new ReplayBuffer(budget), new ReplayBuffer(budget)];
    push(small, 10, { bytes: 20_000 });
    for (let block = 0; block < 100; block += 1) push(large, 1, { bytes: 20_000 });
    expect(kept([small, large])).toBeLessThanOrEqual(1_000_000);
    expect(kept([small, large])).toBeGreaterThan(950_000);
    expect(sequencesAfter(small, 0)).toHaveLength(10);
    expect(large.gone.get(7)).toBe((100 - sequencesAfter(large, 0).length) * 20_000);
  });

  test("has room again when a kernel is gone", () => {
    verifies("SEC-03");
    const budget = new ReplayBudget(1_000_000);
    const first = new ReplayBuffer(budget);
    for (let block = 0; block < 100; block += 1) push(first, 1, { bytes: 20_000 });
    first.close();
    const second = new ReplayBuffer(budget);
    for (let block = 0; block < 40; block += 1) push(second, 1, { bytes: 20_000 });
    expect(second.startAfter(0)).toBe(1);
  });

  test("is let go when it is too old, though nothing more comes", () => {
    verifies("KERN-08");
    const budget = new ReplayBudget();
    const buffer = new ReplayBuffer(budget);
    for (let block = 0; block < 10; block += 1) push(buffer, 1, { bytes: 20_000 });
    budget.expire(REPLAY_MS - 1);
    expect(sequencesAfter(buffer, 0)).toHaveLength(10);
    budget.expire(REPLAY_MS);
    expect(sequencesAfter(buffer, 0)).toHaveLength(1);
  });
});
