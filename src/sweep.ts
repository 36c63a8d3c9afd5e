import { setTimeout as delay } from "node:timers/promises";
import type { Engine } from "./engine/engine.ts";
import { SESSION_LABEL } from "./protocol/labels.ts";

/** A request that nobody waits for any more may take a while; one behind it less. */
const LOOK_FOR_MS = 20_000;
const LOOK_AGAIN_FOR_MS = 3_000;
const LOOK_EVERY_MS = 500;

/**
 * Removes the containers of a start, and those that the daemon, being slow, makes of it yet. Gives how many there were.
 * With `ref: false` it keeps no process alive.
 */
export async function sweep(
  openEngine: () => Engine,
  session: string,
  { ref = true }: { readonly ref?: boolean } = {},
): Promise<number> {
  let count = 0;
  let end = performance.now() + LOOK_FOR_MS;
  for (; performance.now() < end; await delay(LOOK_EVERY_MS, undefined, { ref })) {
    // The daemon may be away for a moment.
    const found = await removeAll(openEngine, session).catch(() => 0);
    count += found;
    if (found > 0) end = performance.now() + LOOK_AGAIN_FOR_MS;
  }
  return count;
}

async function removeAll(openEngine: () => Engine, session: string): Promise<number> {
  const engine = openEngine();
  const left = await engine.list({ [SESSION_LABEL]: session });
  await Promise.all(left.map(({ id }) => engine.remove(id)));
  return left.length;
}
