import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { fileURLToPath } from "node:url";
import { ExecutionImage } from "ipybox";
import type { Bench } from "./bench.ts";
import { docker } from "./docker.ts";

const run = promisify(execFile);
const PEERS = fileURLToPath(new URL("peers/", import.meta.url));
const SERVICES = "7.6.6";

/** Makes images and packages ready; what was made before is kept. */
export async function prepare(bench: Bench, announce: (text: string) => void): Promise<void> {
  await docker("version", "--format", "{{.Server.Version}}").catch((cause: unknown) => {
    throw new Error("The benchmark needs the docker command and a daemon that it reaches.", { cause });
  });
  if (!(await ExecutionImage.exists(bench.image))) {
    throw new Error(`The image ${bench.image} is not there. \`npm run setup\` builds it.`);
  }
  announce("peers' image");
  await replaceImage(bench.peersImage, () => buildPeers(bench));
  announce("image with numpy, pandas and matplotlib preloaded");
  await replaceImage(bench.preloadedImage, () =>
    ExecutionImage.build({
      tag: bench.preloadedImage,
      dependencies: `${PEERS}preloaded.txt`,
      preload: ["numpy", "pandas", "matplotlib.pyplot"],
    }),
  );
  announce("peers' npm packages");
  await installServices(bench.packages);
}

/** Removes what `prepare` has made and keeps for the next run. */
export async function removeImages(bench: Bench): Promise<void> {
  for (const image of [bench.peersImage, bench.preloadedImage]) await docker("rmi", image).catch(() => undefined);
}

/** Builds an image anew; the one that had its name before is removed when it is another. */
async function replaceImage(tag: string, build: () => Promise<unknown>): Promise<void> {
  const idOf = (): Promise<string> => docker("image", "inspect", "--format", "{{.Id}}", tag);
  const before = await idOf().catch(() => undefined);
  await build();
  // Whoever has given it a name of their own keeps it: the daemon refuses then.
  if (before !== undefined && before !== (await idOf())) await docker("rmi", before).catch(() => undefined);
}

async function buildPeers({ image, peersImage }: Bench): Promise<void> {
  await docker("build", "--quiet", "--build-arg", `BASE=${image}`, "--tag", peersImage, PEERS);
}

async function installServices(folder: string): Promise<void> {
  const manifest = JSON.stringify({ private: true, dependencies: { "@jupyterlab/services": SERVICES } });
  const path = `${folder}/package.json`;
  if (existsSync(`${folder}/node_modules/@jupyterlab/services`) && (await readFile(path, "utf8")) === manifest) return;
  await mkdir(folder, { recursive: true });
  await writeFile(path, manifest);
  await run("npm", ["install", "--no-fund", "--no-audit", "--loglevel=error"], { cwd: folder });
}
