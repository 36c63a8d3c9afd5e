import type { Readable } from "node:stream";
import type Docker from "dockerode";
import { IpyboxError } from "../../errors.ts";
import type { BuildRequest, BuiltImage, ImportRequest, PullOptions } from "../engine.ts";
import { abortable } from "./abortable.ts";
import { buildArchive } from "./archive.ts";
import { statusOf } from "./failures.ts";
import { PullMeter, readEvents } from "./progress.ts";
import { registryAuth } from "./registry-auth.ts";

const KEPT_LINES = 40;

/** What the daemon knows of an image, or undefined when it has none of that name. */
export async function findImage(
  docker: Docker,
  image: string,
  signal?: AbortSignal,
): Promise<Docker.ImageInspectInfo | undefined> {
  try {
    return await docker.getImage(image).inspect(abortable(signal) as Docker.ImageInspectOptions);
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** A volume lies outside of a container's disk: neither its bound nor a read-only root holds for it. */
export function refuseVolumes(image: string, found: Docker.ImageInspectInfo): void {
  const volumes = Object.keys(found.Config?.Volumes ?? {});
  if (volumes.length === 0) return;
  const text =
    `Image ${image} declares volumes (${volumes.join(", ")}), which escape the bounds of a container. ` +
    "Build it from a base without VOLUME, and mount directories with `binds`.";
  throw new IpyboxError("container_start_failed", text, { details: { image, volumes } });
}

/** Pulls an image. The registry's refusal is the error's message. */
export async function pullImage(docker: Docker, image: string, options: PullOptions): Promise<void> {
  const auth = await registryAuth(image);
  const request = { fromImage: image, ...abortable(options.signal) };
  const stream = auth === undefined ? await docker.createImage(request) : await docker.createImage(auth, request);
  const meter = new PullMeter();
  for await (const event of readEvents(stopWith(stream, options.signal))) options.onProgress?.(meter.add(event));
}

/** Makes an image of a root file system. */
export async function importImage(docker: Docker, request: ImportRequest): Promise<void> {
  const { tag, rootfs, signal } = request;
  const colon = tag.lastIndexOf(":");
  const target = { repo: tag.slice(0, colon), tag: tag.slice(colon + 1) };
  const options = { ...target, ...abortable(signal) };
  const stream = await docker.importImage(rootfs, options);
  for await (const _ of readEvents(stopWith(stream, signal))) continue;
}

/** Builds an image with the daemon's classic builder. Nothing is tagged unless all steps succeed. */
export async function buildImage(docker: Docker, request: BuildRequest): Promise<BuiltImage> {
  const { tag, files, buildArgs, labels, signal, onOutput } = request;
  const options = { t: tag, buildargs: { ...buildArgs }, labels: { ...labels }, rm: true, forcerm: true, ...abortable(signal) };
  const stream: NodeJS.ReadableStream = await docker.buildImage(buildArchive(files), options);
  const lines = new LineSplitter();
  const last: string[] = [];
  const take = (line: string): void => {
    if (last.push(line) > KEPT_LINES) last.shift();
    onOutput?.(line);
  };
  try {
    for await (const event of readEvents(stopWith(stream, signal))) {
      for (const line of lines.add(event.stream ?? (event.status === undefined ? "" : `${event.status}\n`))) take(line);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw buildFailure(tag, last, error);
  }
  const built = await docker.getImage(tag).inspect();
  return { id: built.Id, sizeBytes: built.Size };
}

function buildFailure(tag: string, last: readonly string[], error: unknown): IpyboxError {
  const reason = error instanceof Error ? error.message : String(error);
  const output = last.filter((line) => !/^(Step \d| ---> |Removing intermediate)/.test(line)).slice(-15);
  const text = `Image ${tag} can't be built, and nothing was tagged:\n${[...output, reason].join("\n")}`;
  return new IpyboxError("image_build_failed", text, { details: { image: tag, reason, output }, cause: error });
}

/** Aborting a request does not end an answer that has begun: this does. */
function stopWith(stream: NodeJS.ReadableStream, signal: AbortSignal | undefined): NodeJS.ReadableStream {
  const end = (): unknown => (stream as Readable).destroy(signal?.reason instanceof Error ? signal.reason : undefined);
  signal?.addEventListener("abort", end, { once: true });
  stream.once("close", () => signal?.removeEventListener("abort", end));
  return stream;
}

/** Cuts the builder's output into lines without colours and cursor movements. */
class LineSplitter {
  #rest = "";

  add(text: string): string[] {
    // eslint-disable-next-line no-control-regex
    const parts = (this.#rest + text).replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "").split(/\r?\n|\r/);
    this.#rest = parts.pop() ?? "";
    return parts.filter((line) => line.trim() !== "");
  }
}
