import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import { abortable } from "./abortable.ts";
import { daemonMessage, statusOf } from "./failures.ts";

/** A daemon may tell at once that a removal has ended, of one that has begun anew. */
const AGAIN_MS = 20;
/** It may also never tell: Docker 20.10 was seen to wait on for a container that had just gone. */
const LOOK_MS = 1_000;

/** Ends and removes a container; waits where somebody else does so, and succeeds when there is none. */
export async function removeContainer(container: Docker.Container, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await container.remove({ force: true, v: true, ...abortable(signal) });
      return;
    } catch (error) {
      if (statusOf(error) === 404) return;
      const isUnderway = statusOf(error) === 409 && daemonMessage(error).includes("already in progress");
      if (!isUnderway) throw error;
    }
    await awaitRemoval(container, signal);
    await delay(AGAIN_MS, undefined, { signal });
  }
}

/** Waits for somebody else to remove a container, at most a second. Whether that has gone well, only `removeContainer` shows. */
export async function awaitRemoval(container: Docker.Container, signal: AbortSignal): Promise<void> {
  const look = AbortSignal.timeout(LOOK_MS);
  await container.wait({ condition: "removed", ...abortable(AbortSignal.any([signal, look])) }).catch((error: unknown) => {
    if (statusOf(error) !== 404 && !look.aborted) throw error;
  });
}
