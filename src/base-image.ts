import { spawn } from "node:child_process";
import { createReadStream, existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Engine } from "./engine/engine.ts";
import { IpyboxError } from "./errors.ts";

const PULLED = "debian:trixie-slim";
const MADE = "ipybox-base:trixie";
const SUITE = "trixie";

/** How to find the image that others are built on. */
export interface BaseImageOptions {
  /** Told in one line what takes long, or is not as usual. */
  readonly announce: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** The default base: pulled, or made from Debian's packages where no registry can be reached. Gives its name. */
export async function ensureBaseImage(engine: Engine, { announce, signal }: BaseImageOptions): Promise<string> {
  for (const image of [PULLED, MADE]) if (await engine.hasImage(image, signal)) return image;
  try {
    await engine.pullImage(PULLED, { signal });
    return PULLED;
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof IpyboxError) || error.code !== "engine_failed") throw error;
    announce(`${PULLED} can't be pulled: making the base image ${MADE} from Debian's packages (about half a minute).`);
    await makeBaseImage(engine, error, signal);
    return MADE;
  }
}

async function makeBaseImage(engine: Engine, pullFailure: IpyboxError, signal: AbortSignal | undefined): Promise<void> {
  if (!existsSync("/usr/bin/mmdebstrap")) await installMmdebstrap(pullFailure, signal);
  const directory = await mkdtemp(join(tmpdir(), "ipybox-base-"));
  try {
    const rootfs = join(directory, "rootfs.tar");
    const excluded = ["doc", "man", "locale", "info"].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);
    await runTool("mmdebstrap", ["--variant=minbase", ...excluded, SUITE, rootfs], signal);
    await engine.importImage({ tag: MADE, rootfs: createReadStream(rootfs), signal });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function installMmdebstrap(pullFailure: IpyboxError, signal: AbortSignal | undefined): Promise<void> {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) {
    throw new IpyboxError(
      "image_build_failed",
      `There is no base image: ${pullFailure.message} It can be made from Debian's packages, but mmdebstrap is missing. ` +
        "Install it (on Debian and Ubuntu `sudo apt-get install mmdebstrap`), or name a local Debian-based image with --base.",
      { details: { image: PULLED }, cause: pullFailure },
    );
  }
  await runTool("apt-get", ["update", "-q"], signal);
  await runTool("apt-get", ["install", "-q", "-y", "--no-install-recommends", "mmdebstrap"], signal);
}

/** Runs a program to its end. Its last lines are in the error. */
function runTool(command: string, args: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env, signal });
    let tail = "";
    const keep = (chunk: Buffer): void => {
      tail = (tail + chunk.toString()).slice(-4000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const fail = (reason: string, cause?: unknown): void => {
      const text = `The base image can't be made: \`${[command, ...args].join(" ")}\` ${reason}`;
      reject(new IpyboxError("image_build_failed", text, { details: { command }, cause }));
    };
    child.on("error", (cause) =>
      signal?.aborted ? reject(signal.reason as Error) : fail(`can't be run: ${cause.message}`, cause),
    );
    child.on("close", (status) => (status === 0 ? resolve() : fail(`ended with status ${status}:\n${tail.trim()}`)));
  });
}
