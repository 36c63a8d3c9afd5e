import { spawnSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { abortAfter } from "../../src/internal/abort-after.ts";
import { Stopwatch } from "../../src/internal/stopwatch.ts";
import { verifies } from "../requirements.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a stopwatch", () => {
  test("expires once, when the time that it ran is up", () => {
    verifies("TIME-04");
    const expired = vi.fn<() => void>();
    const watch = new Stopwatch(1_000, expired);
    vi.advanceTimersByTime(5_000);
    watch.run();
    watch.run();
    vi.advanceTimersByTime(600);
    watch.halt();
    watch.halt();
    vi.advanceTimersByTime(60_000);
    watch.run();
    vi.advanceTimersByTime(399);
    expect(expired).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(expired).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(60_000);
    expect(expired).toHaveBeenCalledOnce();
  });

  test("that is halted in its last moment expires as soon as it runs again", () => {
    const expired = vi.fn<() => void>();
    const watch = new Stopwatch(100, expired);
    watch.run();
    vi.advanceTimersByTime(99);
    watch.halt();
    watch.run();
    vi.advanceTimersByTime(1);
    expect(expired).toHaveBeenCalledOnce();
  });

  test("expires in its time, also when that is longer than a timer takes", () => {
    const expired = vi.fn<() => void>();
    new Stopwatch(2 ** 32 + 500, expired).run();
    vi.advanceTimersByTime(2 ** 32 + 499);
    expect(expired).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2);
    expect(expired).toHaveBeenCalledOnce();
  });

  test("that expires late, the process having been stopped, leaves a moment to read what has come meanwhile", () => {
    const expired = vi.fn<() => void>();
    const watch = new Stopwatch(100, expired);
    watch.run();
    vi.spyOn(performance, "now").mockReturnValue(performance.now() + 60_000);
    vi.advanceTimersByTime(100);
    expect(expired).not.toHaveBeenCalled();
    vi.advanceTimersByTime(250);
    expect(expired).toHaveBeenCalledOnce();
  });

  test.each([null, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER])("of %s never expires", (limit) => {
    const expired = vi.fn<() => void>();
    const watch = new Stopwatch(limit, expired);
    watch.run();
    vi.advanceTimersByTime(2 ** 32);
    expect(expired).not.toHaveBeenCalled();
  });

  test("counts a new limit from now, running or not", () => {
    const expired = vi.fn<() => void>();
    const watch = new Stopwatch(null, expired);
    watch.restart(500);
    vi.advanceTimersByTime(1_000);
    watch.run();
    vi.advanceTimersByTime(400);
    watch.restart(1_000);
    vi.advanceTimersByTime(999);
    expect(expired).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(expired).toHaveBeenCalledOnce();
  });
});

describe("a signal that aborts after a while", () => {
  test("leaves a moment to read what has come while the process was stopped, and has a reason of its own", () => {
    verifies("TIME-05");
    const signal = abortAfter(100, () => new Error("not in time"));
    vi.spyOn(performance, "now").mockReturnValue(performance.now() + 60_000);
    vi.advanceTimersByTime(100);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(250);
    expect(signal.reason).toEqual(new Error("not in time"));
  });

  test("keeps no process alive, however long it is", () => {
    verifies("TIME-05");
    vi.useRealTimers();
    const script = `import { abortAfter } from ${JSON.stringify(new URL("../../src/internal/abort-after.ts", import.meta.url))};
      for (const ms of [1_000, 60_000, 2 ** 40]) abortAfter(ms, () => new Error("late"));`;
    const { status, stderr } = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
      timeout: 30_000,
    });
    expect([status, String(stderr)]).toEqual([0, ""]);
  });
});
