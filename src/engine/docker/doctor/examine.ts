import type Docker from "dockerode";
import type { Finding } from "../../doctor.ts";
import { ANSWER_MS, ask, understood } from "../ask.ts";
import type { Endpoint } from "../endpoint.ts";
import { diagnose } from "./diagnosis.ts";
import type { InfoDocument, NetworkDocument, VersionDocument } from "./facts.ts";

/** Asks a daemon about itself, and says what that means. */
export async function examineDaemon(docker: Docker, endpoint: Endpoint, signal?: AbortSignal): Promise<readonly Finding[]> {
  const what = `The Docker daemon at ${endpoint.url} can't be examined`;
  const options = { signal, timeoutMs: ANSWER_MS };
  const [version, info, bridge] = await ask(
    endpoint,
    what,
    () =>
      Promise.all([
        docker.version() as Promise<unknown> as Promise<VersionDocument>,
        docker.info() as Promise<InfoDocument>,
        (docker.getNetwork("bridge").inspect() as Promise<NetworkDocument>).catch(() => undefined),
      ]),
    options,
  );
  return diagnose({ version: understood(what, version, "Version", "ApiVersion"), info, bridge });
}
