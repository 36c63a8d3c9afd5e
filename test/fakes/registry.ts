import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pack } from "tar-stream";
import { buffer } from "node:stream/consumers";
import type { AddressInfo } from "node:net";
import { listen } from "./daemon.ts";

const MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG_TYPE = "application/vnd.docker.container.image.v1+json";
const LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar";

/** A blob of an image: bytes, or a file on disk. */
export type Blob = Buffer | { readonly path: string; readonly digest: string; readonly size: number };

/** An image as a registry has it. Its layers are plain tar files. */
export interface RegistryImage {
  readonly config: Buffer;
  readonly layers: readonly Blob[];
}

/** How the registry treats its callers. */
export interface RegistryOptions {
  readonly images?: Readonly<Record<string, RegistryImage>>;
  /** Bytes a second that a layer is sent with. */
  readonly bytesPerSecond?: number;
  /** Only with this name and password. */
  readonly login?: { readonly username: string; readonly password: string };
  /** Every manifest is refused with this status, code and message. */
  readonly refusal?: { readonly status: number; readonly code: string; readonly message: string };
}

export interface Registry extends AsyncDisposable {
  /** As image names have it. Docker takes a registry on this network without TLS. */
  readonly host: string;
  /** What was asked for, method and path. */
  readonly requests: readonly string[];
  /** The digest under which an image is served. */
  digestOf(name: string): string;
}

/** A registry on the loopback interface that images can be pulled from. */
export async function startRegistry(options: RegistryOptions): Promise<Registry> {
  const requests: string[] = [];
  const { images = {}, login, refusal, bytesPerSecond = Number.POSITIVE_INFINITY } = options;
  const manifests = new Map(Object.entries(images).map(([name, image]) => [name, manifestOf(image)]));
  const blobs = new Map(
    Object.values(images).flatMap(({ config, layers }) => [config, ...layers].map((blob) => [digestOf(blob), blob] as const)),
  );

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = request.url ?? "";
    requests.push(`${request.method} ${url}`);
    if (login !== undefined && request.headers.authorization !== basic(login)) {
      response.setHeader("www-authenticate", 'Basic realm="test"');
      return fail(response, 401, "UNAUTHORIZED", "authentication required");
    }
    if (url === "/v2/") return void response.end("{}");
    const [, name = "", kind, reference = ""] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url) ?? [];
    if (kind === "blobs") {
      const blob = blobs.get(reference);
      if (blob === undefined) return fail(response, 404, "BLOB_UNKNOWN", "blob unknown");
      response.writeHead(200, { "content-type": "application/octet-stream", "content-length": sizeOf(blob) });
      return request.method === "HEAD" ? void response.end() : send(blob, response, bytesPerSecond);
    }
    if (refusal !== undefined) return fail(response, refusal.status, refusal.code, refusal.message);
    const tagged = manifests.get(`${name}:${reference}`);
    const manifest = tagged ?? [...manifests.values()].find((one) => digestOf(one) === reference);
    if (manifest === undefined) return fail(response, 404, "MANIFEST_UNKNOWN", "manifest unknown");
    response.writeHead(200, {
      ...{ "content-type": MANIFEST_TYPE, "content-length": manifest.length },
      "docker-content-digest": digestOf(manifest),
    });
    response.end(request.method === "HEAD" ? undefined : manifest);
  };

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  const end = await listen(server, { port: 0, host: "127.0.0.1" });
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    digestOf: (name) => digestOf(manifests.get(name) ?? Buffer.alloc(0)),
    [Symbol.asyncDispose]: end,
  };
}

/** An image of one layer with one file: it can be pulled, but nothing in it can run. */
export function tinyImage(bytes: Buffer): Promise<RegistryImage> {
  const config = { architecture: architecture(), os: "linux", config: {}, rootfs: { type: "layers", diff_ids: [] } };
  return withLayer({ config: Buffer.from(JSON.stringify(config)), layers: [] }, bytes);
}

/** An image with one more layer, of one file. */
export async function withLayer({ config, layers }: RegistryImage, bytes: Buffer): Promise<RegistryImage> {
  const tar = pack();
  tar.entry({ name: "opt/file", mode: 0o644 }, bytes);
  tar.finalize();
  const layer = await buffer(tar);
  // The history has an entry a layer, so it would no longer fit.
  const {
    rootfs,
    history: _,
    ...rest
  } = JSON.parse(config.toString()) as {
    readonly rootfs: { readonly diff_ids: readonly string[] };
    readonly history?: unknown;
  };
  const more = { ...rest, rootfs: { ...rootfs, diff_ids: [...rootfs.diff_ids, digestOf(layer)] } };
  return { config: Buffer.from(JSON.stringify(more)), layers: [...layers, layer] };
}

/** A layer that lies on disk. */
export async function fileBlob(path: string): Promise<Blob> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return { path, digest: `sha256:${hash.digest("hex")}`, size: (await stat(path)).size };
}

function manifestOf({ config, layers }: RegistryImage): Buffer {
  const entry = (mediaType: string, blob: Blob): object => ({ mediaType, size: sizeOf(blob), digest: digestOf(blob) });
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: entry(CONFIG_TYPE, config),
    layers: layers.map((layer) => entry(LAYER_TYPE, layer)),
  };
  return Buffer.from(JSON.stringify(manifest));
}

async function send(blob: Blob, response: ServerResponse, bytesPerSecond: number): Promise<void> {
  if (!Buffer.isBuffer(blob)) return pipeline(createReadStream(blob.path), response);
  const step = Math.ceil(Math.min(bytesPerSecond / 20, blob.length));
  const throttle = new Transform({
    transform: (chunk: Buffer, _, done) => void setTimeout(() => done(null, chunk), (1000 * chunk.length) / bytesPerSecond),
  });
  const source = (function* () {
    for (let at = 0; at < blob.length; at += step) yield blob.subarray(at, at + step);
  })();
  await pipeline(source, throttle, response);
}

function fail(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}

function digestOf(blob: Blob): string {
  return Buffer.isBuffer(blob) ? `sha256:${createHash("sha256").update(blob).digest("hex")}` : blob.digest;
}

function sizeOf(blob: Blob): number {
  return Buffer.isBuffer(blob) ? blob.length : blob.size;
}

function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

function architecture(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}
