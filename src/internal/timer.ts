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
 * meanwhile, that is a moment later than it might be: what has come is read first. With `ref: false` it keeps no process alive.
 */
export function atDeadline(ms: number, callback: () => void, { ref = true }: { readonly ref?: boolean } = {}): () => void {
  const dueAt = performance.now() + ms;
  const fire = (): void => {
    const lateMs = performance.now() - dueAt;
    if (lateMs < -1) wait(-lateMs);
    else if (lateMs > LATE_MS) set(callback, LATE_MS);
    else callback();
  };
  const wait = (leftMs: number): void => set(fire, timerMs(leftMs));
  const set = (next: () => void, nextMs: number): void => {
    timer = setTimeout(next, nextMs);
    if (!ref) timer.unref();
  };
  let timer: NodeJS.Timeout;
  wait(ms);
  return () => clearTimeout(timer);
}
