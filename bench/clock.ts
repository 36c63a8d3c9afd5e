const TICKS = 5;

/**
 * Gives a clock in milliseconds since 1970 with the resolution of `performance.now()`. `Date.now()` only has whole
 * milliseconds, and `performance.timeOrigin` is as old as the process: the two are aligned anew, at a tick. Whoever sees
 * a tick late gets too little, so the most of several holds.
 */
export function alignClock(): () => number {
  let offset = -Infinity;
  for (let tick = Date.now(), seen = 0; seen < TICKS;) {
    const now = Date.now();
    if (now === tick) continue;
    tick = now;
    offset = Math.max(offset, now - performance.now());
    seen += 1;
  }
  return () => performance.now() + offset;
}
