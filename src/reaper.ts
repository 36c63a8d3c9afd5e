// Removes what a start has left, once the process that began it is gone: `reaper.js SESSION [DOCKER_HOST]`.
// That process holds the other end of standard input; a line there says that there is nothing to do.
import { setTimeout as delay } from "node:timers/promises";
import { text } from "node:stream/consumers";
import { DockerEngine } from "./engine/docker/docker-engine.ts";
import { SESSION_LABEL } from "./protocol/labels.ts";
import { removeSessionFiles } from "./runtime-dir.ts";

/** A request that the process has made just before its end may take a while; one behind it less. */
const LOOK_FOR_MS = 20_000;
const LOOK_AGAIN_FOR_MS = 3_000;
const LOOK_EVERY_MS = 500;

const [session = "", dockerHost] = process.argv.slice(2);
if (session !== "" && (await text(process.stdin).catch(() => "")) === "") {
  let end = Date.now() + LOOK_FOR_MS;
  for (; Date.now() < end; await delay(LOOK_EVERY_MS)) {
    // The daemon may be away for a moment.
    const found = await reap().catch(() => 0);
    if (found > 0) end = Date.now() + LOOK_AGAIN_FOR_MS;
  }
}

/** Gives how many containers there were. */
async function reap(): Promise<number> {
  await removeSessionFiles(session);
  const engine = new DockerEngine(dockerHost);
  const left = await engine.list({ [SESSION_LABEL]: session });
  await Promise.all(left.map(({ id }) => engine.remove(id)));
  return left.length;
}
