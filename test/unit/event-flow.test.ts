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

it("a reader that is far behind gets prints of one stream together, up to 64 KiB; one that is not, each by itself", async () => {
  verifies("STREAM-03", "OUT-08");
  const flow = new EventFlow(() => undefined);
  const write = (name: "stdout" | "stderr", text: string): void => flow.push({ type: "stream", name, text }, text.length);
  const texts = ["a", "b", "c".repeat(60_000), "d".repeat(6_000), "e".repeat(59_000)];
  for (const text of texts) write("stdout", text);
  write("stderr", "f");
  write("stderr", "g".repeat(64 * 1024));
  flow.push({ type: "clear_output", wait: false }, 0);
  for (const text of ["h", "i"]) write("stderr", text);
  flow.close();
  const events: unknown[] = [];
  for await (const one of flow.read(() => undefined)) events.push(one);
  expect(events).toEqual([
    { type: "stream", name: "stdout", text: texts.slice(0, 3).join("") },
    { type: "stream", name: "stdout", text: texts.slice(3).join("") },
    { type: "stream", name: "stderr", text: "f" },
    { type: "stream", name: "stderr", text: "g".repeat(64 * 1024) },
    { type: "clear_output", wait: false },
    { type: "stream", name: "stderr", text: "h" },
    { type: "stream", name: "stderr", text: "i" },
  ]);
});
