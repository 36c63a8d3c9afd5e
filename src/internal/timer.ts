/** Node's timers take no more, about 25 days: longer ones run out at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A time that somebody has set, as a timer takes it: what is longer is as good as never. */
export function timerMs(ms: number): number {
  return Math.min(ms, MAX_TIMER_MS);
}
