// Removes what a start has left, once the process that began it is gone: `reaper.js SESSION [DOCKER_HOST]`.
// That process holds the other end of standard input; a line there says that there is nothing to do.
import { text } from "node:stream/consumers";
import { DockerEngine } from "./engine/docker/docker-engine.ts";
import { removeSessionFiles } from "./runtime-dir.ts";
import { sweep } from "./sweep.ts";

const [session = "", dockerHost] = process.argv.slice(2);
if (session !== "" && (await text(process.stdin).catch(() => "")) === "") {
  // Whatever is in the way of the one, the other is to go.
  await Promise.allSettled([removeSessionFiles(session), sweep(() => new DockerEngine(dockerHost), session)]);
}
