import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { EventFlow } from "../../src/event-flow.ts";
import { verifies } from "../requirements.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const event = { type: "stream", name: "stdout", text: "x" } as const;
const MUCH = 2 * 1024 * 1024;

/** A flow whose reader has taken one event, and does not come back. */
async function leftAlone(changed: () => void): Promise<EventFlow> {
  const flow = new EventFlow(changed);
  const reader = flow.read(() => undefined);
  const first = reader.next();
  flow.push(event, 1);
  await first;
  flow.push(event, MUCH);
  return flow;
}

it("a slow reader is waited for, however long that takes", async () => {
  verifies("TIME-05", "OUT-08");
  const flow = await leftAlone(() => undefined);
  vi.advanceTimersByTime(3_600_000);
  expect(flow.full).toBe(true);
});

it("one that takes nothing for 30 s, while somebody waits for what comes behind, is not: it may wait for that itself", async () => {
  verifies("TIME-05", "OUT-08");
  const changed = vi.fn<() => void>();
  const flow = await leftAlone(changed);
  flow.drain();
  vi.advanceTimersByTime(29_000);
  expect(flow.full).toBe(true);
  changed.mockClear();
  vi.advanceTimersByTime(1_000);
  expect(flow.full).toBe(false);
  expect(changed).toHaveBeenCalledTimes(1);
});
