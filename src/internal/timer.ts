/** Node's timers take no more, about 25 days: longer ones run out at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A timer that fires so much too late has not been waited for: the process was stopped, or busy. */
const LATE_MS = 250;

/** A time that somebody has set, as a timer takes it: what is longer is as good as never. */
export function timerMs(ms: number): number {
  return Math.min(ms, MAX_TIMER_MS);
}

/**
 * Calls back when a time is over in which something was to come; gives what calls it off. When the process was stopped or busy
 * meanwhile, that is a moment later than it might be: what has come is read first.
 */
export function atDeadline(ms: number, callback: () => void): () => void {
  const dueAt = performance.now() + ms;
  const fire = (): void => {
    const lateMs = performance.now() - dueAt;
    if (lateMs < -1) wait(-lateMs);
    else if (lateMs > LATE_MS) timer = setTimeout(callback, LATE_MS);
    else callback();
  };
  const wait = (leftMs: number): void => {
    timer = setTimeout(fire, timerMs(leftMs));
  };
  let timer: NodeJS.Timeout;
  wait(ms);
  return () => clearTimeout(timer);
}
