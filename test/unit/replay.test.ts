import { describe, expect, test } from "vitest";
import { REPLAY_BYTES, REPLAY_MS, ReplayBuffer } from "../../src/agent/replay.ts";
import { encodeFrame, readFrames, writeSequence } from "../../src/protocol/frame.ts";
import { verifies } from "../requirements.ts";

/** A block of frames with the sequences `first` to `last`. */
function block(first: number, last = first, bytes = 1): Buffer {
  const frames = [];
  for (let sequence = first; sequence <= last; sequence += 1) {
    const frame = encodeFrame(1, Buffer.alloc(bytes));
    writeSequence(frame, 0, sequence);
    frames.push(frame);
  }
  return Buffer.concat(frames);
}

function sequencesAfter(buffer: ReplayBuffer, sequence: number): number[] {
  return [...buffer.after(sequence)].flatMap((bytes) => [...readFrames(bytes)].map((frame) => frame.sequence));
}

describe("the output that is kept for a client that comes back", () => {
  test("is what follows the last frame that it has, also from the middle of a block", () => {
    verifies("KERN-08");
    const buffer = new ReplayBuffer();
    expect(buffer.oldest).toBeUndefined();
    expect(sequencesAfter(buffer, 0)).toEqual([]);
    buffer.push(block(1, 3), 1, 3);
    buffer.push(block(4), 4, 4);
    buffer.push(block(5, 7), 5, 7);
    const all = [1, 2, 3, 4, 5, 6, 7];
    for (let sequence = 0; sequence <= 9; sequence += 1) {
      expect(sequencesAfter(buffer, sequence)).toEqual(all.slice(sequence));
    }
    expect(buffer.oldest).toBe(1);
  });

  test("is at least so many bytes, and hardly more", () => {
    verifies("KERN-08");
    const buffer = new ReplayBuffer();
    const size = 64 * 1024;
    const count = (2 * REPLAY_BYTES) / size;
    for (let sequence = 1; sequence <= count; sequence += 1) buffer.push(block(sequence, sequence, size), sequence, sequence, 0);
    const bytes = [...buffer.after(0)].reduce((sum, { length }) => sum + length, 0);
    expect(bytes).toBeGreaterThanOrEqual(REPLAY_BYTES);
    expect(bytes).toBeLessThan(REPLAY_BYTES + 2 * (size + 20));
    expect(sequencesAfter(buffer, 0)[0]).toBe(buffer.oldest);
    expect(sequencesAfter(buffer, 0).at(-1)).toBe(count);
  });

  test("is no older than its time, but always the last block", () => {
    const buffer = new ReplayBuffer();
    buffer.push(block(1), 1, 1, 0);
    buffer.push(block(2), 2, 2, 1000);
    buffer.push(block(3), 3, 3, REPLAY_MS - 1);
    expect(buffer.oldest).toBe(1);
    buffer.push(block(4), 4, 4, REPLAY_MS);
    expect(buffer.oldest).toBe(2);
    buffer.push(block(5, 5, 2 * REPLAY_BYTES), 5, 5, 10 * REPLAY_MS);
    expect(sequencesAfter(buffer, 0)).toEqual([5]);
  });

  test("stays right through thousands of small blocks", () => {
    const buffer = new ReplayBuffer();
    for (let sequence = 1; sequence <= 10_000; sequence += 1) buffer.push(block(sequence), sequence, sequence, sequence * 1000);
    expect(buffer.oldest).toBe(10_000 - REPLAY_MS / 1000 + 1);
    expect(sequencesAfter(buffer, 9_990)).toEqual([9_991, 9_992, 9_993, 9_994, 9_995, 9_996, 9_997, 9_998, 9_999, 10_000]);
  });
});
