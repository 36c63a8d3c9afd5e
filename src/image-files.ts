import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CaCertificate } from "./ca-certificates.ts";
import type { BuildFile } from "./engine/engine.ts";
import { IpyboxError } from "./errors.ts";

// Found alike from src/ and from dist/.
const PACKAGE = fileURLToPath(new URL("..", import.meta.url));

/** What an image is made of: recipe, agent, Python's parts, certificates and requirements. */
export async function imageFiles(certificates: readonly CaCertificate[], requirements: string): Promise<readonly BuildFile[]> {
  return [
    { path: "Dockerfile", source: join(PACKAGE, "image/Dockerfile") },
    { path: "node-stamp.sh", source: join(PACKAGE, "image/node-stamp.sh") },
    { path: "entrypoint.sh", source: join(PACKAGE, "image/entrypoint.sh"), mode: 0o755 },
    { path: "requirements.txt", content: requirements },
    // The directory must be there even when it has no certificate.
    { path: "certificates/ipybox.txt", content: "ipybox-*.crt come from the machine that built this image.\n" },
    ...certificates.map(({ name, pem }) => ({ path: `certificates/${name}`, content: pem })),
    ...(await pythonFiles()),
    agentFile(),
  ];
}

/** This package's version. */
export async function packageVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(join(PACKAGE, "package.json"), "utf8")) as { version: string };
  return version;
}

async function pythonFiles(): Promise<readonly BuildFile[]> {
  const packages = ["python/ipybox_kernel", "python/ipybox_network"];
  const files = packages.map((path) => filesBelow(join(PACKAGE, path), path, (name) => !name.endsWith(".pyc")));
  return (await Promise.all(files)).flat();
}

/** The agent is one file, with all it needs. */
function agentFile(): BuildFile {
  const source = join(PACKAGE, "dist/agent/agent.cjs");
  if (!existsSync(source)) {
    throw new IpyboxError("image_build_failed", `The agent is not compiled: ${source} is missing. Run \`npm run build\`.`);
  }
  return { path: "agent/agent.cjs", source };
}

async function filesBelow(directory: string, path: string, wanted: (name: string) => boolean): Promise<readonly BuildFile[]> {
  if (!existsSync(directory)) return [];
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && wanted(entry.name))
    .map((entry) => {
      const source = join(entry.parentPath, entry.name);
      return { path: path + source.slice(directory.length).replaceAll("\\", "/"), source };
    });
}
