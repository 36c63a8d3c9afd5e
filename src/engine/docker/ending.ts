import { constants } from "node:os";
import type Docker from "dockerode";
import type { SandboxEnding } from "../engine.ts";
import { readEvents } from "./progress.ts";

/** What the daemon remembers comes at once. */
const REMEMBERED_MS = 500;

/** The daemon's clock may be another one. */
const AHEAD_S = 24 * 60 * 60;

/** What is read of an event of a container. */
interface ContainerEvent {
  readonly Action?: string;
  readonly Actor?: { readonly Attributes?: Readonly<Record<string, string>> };
}

/** How a container has ended, from the daemon's last events (it keeps 256); undefined when they tell nothing. */
export async function readEnding(docker: Docker, id: string, signal: AbortSignal): Promise<SandboxEnding | undefined> {
  const abortSignal = AbortSignal.any([signal, AbortSignal.timeout(REMEMBERED_MS)]);
  const filters = { type: ["container"], container: [id], event: ["oom", "kill", "die"] };
  const until = Math.floor(Date.now() / 1000) + AHEAD_S;
  let oomKilled = false;
  let sent: string | undefined;
  try {
    // Without an end, the answer would be that of the daemon's future.
    const stream = await docker.getEvents({ since: 1, until, filters: JSON.stringify(filters) as never, abortSignal });
    for await (const event of readEvents(stream)) {
      const { Action: action, Actor: actor } = event as ContainerEvent;
      const attributes = actor?.Attributes ?? {};
      if (action === "oom") oomKilled = true;
      else if (action === "kill") sent = signalName(attributes["signal"]);
      else if (action === "die") return { exitCode: Number(attributes["exitCode"]), oomKilled, signal: sent };
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!abortSignal.aborted) throw error;
  }
  return undefined;
}

function signalName(number: string | undefined): string | undefined {
  return Object.entries(constants.signals).find(([, value]) => value === Number(number))?.[0];
}
