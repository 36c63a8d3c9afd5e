import * as z from "zod";
import { ensureBaseImage } from "./base-image.ts";
import { machineCaCertificates, readCaCertificates } from "./ca-certificates.ts";
import { callerUser } from "./caller.ts";
import { readRequirements } from "./dependencies.ts";
import type { Engine } from "./engine/engine.ts";
import { IpyboxError } from "./errors.ts";
import { imageFiles, packageVersion } from "./image-files.ts";
import { fullImageName } from "./image-reference.ts";
import { DEFAULTS } from "./options.ts";
import { parseOptions } from "./parse-options.ts";
import { proxySettings } from "./proxies.ts";

/** What a build tells while it runs. */
export type BuildProgress =
  | { readonly kind: "step"; readonly step: number; readonly steps: number; readonly text: string }
  | { readonly kind: "output"; readonly text: string }
  | { readonly kind: "notice"; readonly text: string };

/** Options of `ExecutionImage.build`. */
export interface ExecutionImageOptions {
  /** Name of the image. Default `gradion-ai/ipybox`. */
  readonly tag?: string | undefined;
  /** A requirements.txt, or a pyproject.toml, whose packages are installed. */
  readonly dependencies?: string | undefined;
  /** A Debian-based image to build on. Default `debian:trixie-slim`, made from Debian's packages without a registry. */
  readonly base?: string | undefined;
  /** Modules that new kernels have imported already. */
  readonly preload?: readonly string[] | undefined;
  /** Files or directories with further certificates to trust, in PEM form. This machine's own are always taken along. */
  readonly caCertificates?: readonly string[] | undefined;
  /** Docker daemon to use, written as `DOCKER_HOST`. */
  readonly dockerHost?: string | undefined;
  readonly onProgress?: ((progress: BuildProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const moduleName = z.string().regex(/^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/, { error: "must be a list of names of Python modules" });
const schema = z.strictObject({
  tag: z.string({ error: "must be a string" }).optional(),
  dependencies: z.string({ error: "must be a file name" }).optional(),
  base: z.string({ error: "must be a string" }).optional(),
  preload: z.array(moduleName, { error: "must be an array of module names" }).optional(),
  caCertificates: z.array(z.string(), { error: "must be an array of file names" }).optional(),
  dockerHost: z.string({ error: "must be a string" }).optional(),
  onProgress: z
    .custom<(progress: BuildProgress) => void>((value) => typeof value === "function", { error: "must be a function" })
    .optional(),
  signal: z.instanceof(AbortSignal, { error: "must be an AbortSignal" }).optional(),
});

/** An image that `ExecutionContainer` can run. */
export class ExecutionImage {
  /** Its full name. */
  readonly tag: string;
  readonly id: string;
  readonly sizeBytes: number;

  private constructor(tag: string, id: string, sizeBytes: number) {
    this.tag = tag;
    this.id = id;
    this.sizeBytes = sizeBytes;
  }

  /**
   * Builds an image. Steps whose inputs have not changed are taken from the last build.
   *
   * @throws IpyboxError `image_build_failed` with the last lines of the installer, `image_not_found` for the base,
   * `invalid_option`, `daemon_*`. Nothing is tagged then.
   */
  static async build(options: ExecutionImageOptions = {}): Promise<ExecutionImage> {
    const parsed: ExecutionImageOptions = parseOptions(schema, options, "ExecutionImage.build");
    const { signal, onProgress, preload = [] } = parsed;
    const tag = fullImageName(parsed.tag ?? DEFAULTS.tag);
    if (tag.includes("@")) throw new IpyboxError("invalid_option", `An image can't be built under a digest: ${tag}. Pass a tag.`);
    const requirements = parsed.dependencies === undefined ? "" : await readRequirements(parsed.dependencies);
    const certificates = [
      ...(await machineCaCertificates()),
      ...(await readCaCertificates(parsed.caCertificates ?? [], "caCertificates")),
    ];
    const files = await imageFiles(certificates, requirements);
    const engine = await dockerEngine(parsed.dockerHost);
    await engine.check(signal);
    const base = await findBase(engine, parsed);
    const { uid, gid } = callerUser();
    const built = await engine.buildImage({
      tag,
      files,
      buildArgs: {
        ...proxySettings(),
        BASE: base,
        IPYBOX_UID: String(uid),
        IPYBOX_GID: String(gid),
        PRELOAD: preload.join(","),
      },
      labels: { "ipybox.image": "1", "ipybox.version": await packageVersion() },
      onOutput: (line) => onProgress?.(readProgress(line)),
      signal,
    });
    return new ExecutionImage(tag, built.id, built.sizeBytes);
  }

  /** Whether the daemon has an image of that name. */
  static async exists(
    tag: string = DEFAULTS.tag,
    options: { readonly dockerHost?: string | undefined; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<boolean> {
    const engine = await dockerEngine(options.dockerHost);
    await engine.check(options.signal);
    return engine.hasImage(fullImageName(tag), options.signal);
  }
}

// dockerode takes 100 ms to load: only when it is used.
async function dockerEngine(dockerHost: string | undefined): Promise<Engine> {
  const { DockerEngine } = await import("./engine/docker/docker-engine.ts");
  return new DockerEngine(dockerHost);
}

async function findBase(engine: Engine, { base, onProgress, signal }: ExecutionImageOptions): Promise<string> {
  if (base === undefined) return ensureBaseImage(engine, { announce: (text) => onProgress?.({ kind: "notice", text }), signal });
  const image = fullImageName(base, "base");
  if (await engine.hasImage(image, signal)) return image;
  await engine.pullImage(image, { signal }).catch((cause: unknown) => {
    if (!(cause instanceof IpyboxError) || cause.code !== "engine_failed") throw cause;
    throw new IpyboxError(
      "image_not_found",
      `The base image ${image} is not on this machine. ${cause.message}. Check its name, or leave --base out.`,
      {
        details: { image },
        cause,
      },
    );
  });
  return image;
}

function readProgress(line: string): BuildProgress {
  const [, step, steps, text] = /^Step (\d+)\/(\d+) : (.*)$/.exec(line) ?? [];
  if (text === undefined) return { kind: "output", text: line };
  return { kind: "step", step: Number(step), steps: Number(steps), text };
}
