/**
 * Gives a clock in milliseconds since 1970 with the resolution of `performance.now()`. `Date.now()` only has
 * whole milliseconds, and `performance.timeOrigin` is as old as the process: the two are aligned anew, at a tick.
 */
export function alignClock(): () => number {
  const before = Date.now();
  let tick = before;
  while (tick === before) tick = Date.now();
  const offset = tick - performance.now();
  return () => performance.now() + offset;
}
