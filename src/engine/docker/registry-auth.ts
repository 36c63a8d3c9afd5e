import { execFile } from "node:child_process";
import type Docker from "dockerode";
import { readDockerConfig } from "./contexts.ts";

const DOCKER_HUB = "https://index.docker.io/v1/";

/** What `docker login` has stored for the registry of an image, from its file or its credential helper. */
export async function registryAuth(image: string): Promise<Docker.AuthConfigObject | undefined> {
  const [first = ""] = image.split("/");
  const isHost = image.includes("/") && /[.:]|^localhost$/.test(first);
  const server = isHost ? first : DOCKER_HUB;
  const config = readDockerConfig() as {
    readonly auths?: Readonly<Record<string, { readonly auth?: string }>>;
    readonly credHelpers?: Readonly<Record<string, string>>;
    readonly credsStore?: string;
  };
  const helper = config.credHelpers?.[server] ?? config.credsStore;
  if (helper !== undefined) return askHelper(helper, server);
  const auth = config.auths?.[server]?.auth;
  if (!auth) return undefined;
  const plain = Buffer.from(auth, "base64").toString();
  const colon = plain.indexOf(":");
  return { username: plain.slice(0, colon), password: plain.slice(colon + 1), serveraddress: server };
}

// No answer means no login there: the pull goes on without, and the registry says what it thinks of that.
function askHelper(helper: string, server: string): Promise<Docker.AuthConfigObject | undefined> {
  return new Promise((resolve) => {
    const child = execFile(`docker-credential-${helper}`, ["get"], { timeout: 10_000 }, (error, stdout) => {
      if (error !== null) return resolve(undefined);
      try {
        const { Username: username, Secret: password } = JSON.parse(stdout) as { Username: string; Secret: string };
        resolve({ username, password, serveraddress: server });
      } catch {
        resolve(undefined);
      }
    });
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(server);
  });
}
