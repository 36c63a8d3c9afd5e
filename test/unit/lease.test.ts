import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Lease } from "../../src/agent/lease.ts";
import { verifies } from "../requirements.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** The lease of an agent that has just started, and whether it is over. */
function begin(): { readonly lease: Lease; readonly isOver: () => boolean } {
  const onEnd = vi.fn<() => void>();
  return { lease: new Lease(onEnd), isOver: () => onEnd.mock.calls.length > 0 };
}

test("without an owner it is over within half a minute of the start", () => {
  verifies("LIFE-01");
  const { isOver } = begin();
  vi.advanceTimersByTime(20_000);
  expect(isOver()).toBe(false);
  vi.advanceTimersByTime(9_000);
  expect(isOver()).toBe(true);
});

test("an owner holds it for ever", () => {
  verifies("LIFE-01");
  const { lease, isOver } = begin();
  lease.hold();
  vi.advanceTimersByTime(10 * 24 * 3_600_000);
  expect(isOver()).toBe(false);
});

test("an owner who comes back in time goes on holding it; one who does not has lost it soon, and once", () => {
  verifies("LIFE-01");
  const { lease, isOver } = begin();
  lease.hold();
  for (let times = 0; times < 5; times += 1) {
    lease.release();
    vi.advanceTimersByTime(8_000);
    lease.hold();
    vi.advanceTimersByTime(60_000);
  }
  expect(isOver()).toBe(false);
  lease.release();
  vi.advanceTimersByTime(15_000);
  expect(isOver()).toBe(true);
});

test("once waived it is never over", () => {
  verifies("LIFE-01");
  const { lease, isOver } = begin();
  lease.waive();
  lease.hold();
  lease.release();
  vi.advanceTimersByTime(3_600_000);
  expect(isOver()).toBe(false);
});
