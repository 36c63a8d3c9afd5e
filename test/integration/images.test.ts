import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { extract } from "tar-stream";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { DEFAULTS, ExecutionClient, ExecutionContainer, IpyboxError } from "ipybox";
import { DockerEngine } from "../../src/engine/docker/docker-engine.ts";
import type { PullProgress } from "../../src/engine/engine.ts";
import { fileBlob, type Registry, type RegistryImage, startRegistry, tinyImage, withLayer } from "../fakes/registry.ts";
import { verifies } from "../requirements.ts";
import { docker, hasImage, ownContainers, removeImages } from "./docker.ts";
import { rejection } from "./sandbox.ts";

const NAME = "ipybox-test/pulled";
let directory: string;
let real: RegistryImage;
let tiny: RegistryImage;
const pulled: string[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ipybox-registry-"));
  // With a layer of its own: what the daemon has already, it does not pull.
  real = await withLayer(await saveImage(DEFAULTS.tag, directory), randomBytes(20_000_000));
  tiny = await tinyImage(randomBytes(4_000_000));
}, 120_000);
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await removeImages(...pulled.splice(0));
});

/** The name of an image in a registry; what is pulled of it is removed after the test. */
function nameIn({ host }: Registry, name: string = NAME, suffix = ":v1"): string {
  pulled.push(`${host}/${name}${suffix}`);
  return `${host}/${name}${suffix}`;
}

/** What is shown on a terminal while something runs. */
async function onTerminal(run: () => Promise<unknown>): Promise<string> {
  const shown: string[] = [];
  const terminal = Object.getOwnPropertyDescriptor(process.stderr, "isTTY");
  Object.defineProperty(process.stderr, "isTTY", { value: true, configurable: true });
  vi.spyOn(process.stderr, "write").mockImplementation((chunk) => shown.push(String(chunk)) > 0);
  try {
    await run();
  } finally {
    if (terminal === undefined) delete (process.stderr as { isTTY?: boolean }).isTTY;
    else Object.defineProperty(process.stderr, "isTTY", terminal);
  }
  return shown.join("");
}

describe("an image that is not there", () => {
  it("is pulled, with a bar on a terminal, and runs; the next time there is nothing to pull", async () => {
    verifies("CONT-04", "CONT-03");
    await using registry = await startRegistry({ images: { [`${NAME}:v1`]: real }, bytesPerSecond: 20_000_000 });
    const tag = nameIn(registry);
    const start = async (): Promise<void> => {
      await using container = await ExecutionContainer.create({ tag });
      await using client = await ExecutionClient.connect({ port: container.port });
      expect((await client.execute("print('pulled')")).text).toBe("pulled");
    };
    const shown = await onTerminal(start);
    expect(shown).toContain(`Pulling ${tag}`);
    const totals = [...shown.matchAll(/(\d+)\/(\d+) MB/g)].map(([, value, total]) => [Number(value), Number(total)]);
    expect(totals.length).toBeGreaterThan(2);
    expect(totals.some(([value = 0, total = 0]) => value > 0 && value <= total && total >= 20)).toBe(true);
    const asked = registry.requests.length;
    expect(await onTerminal(start)).toBe("");
    expect(registry.requests.length).toBe(asked);
  }, 120_000);

  it("is pulled by its digest", async () => {
    verifies("CONT-03", "CONT-04");
    await using registry = await startRegistry({ images: { [`${NAME}:v1`]: real } });
    const tag = nameIn(registry, NAME, `@${registry.digestOf(`${NAME}:v1`)}`);
    await using container = await ExecutionContainer.create({ tag });
    await using client = await ExecutionClient.connect({ port: container.port });
    expect((await client.execute("print('exactly this one')")).text).toBe("exactly this one");
  }, 120_000);

  it("tells how far the pull is", async () => {
    verifies("CONT-04");
    await using registry = await startRegistry({ images: { [`${NAME}:v1`]: tiny }, bytesPerSecond: 4_000_000 });
    const progress: PullProgress[] = [];
    await new DockerEngine().pullImage(nameIn(registry), { onProgress: (one) => progress.push(one) });
    const received = progress.map(({ receivedBytes }) => receivedBytes);
    expect(received).toEqual([...received].sort((a, b) => a - b));
    expect(new Set(received).size).toBeGreaterThan(3);
    const bytes = (tiny.layers[0] as Buffer).length;
    expect(progress.at(-1)).toMatchObject({ receivedBytes: bytes, totalBytes: bytes });
  });

  it.each([
    ["showPullProgress: false", true, false],
    ["a stderr that is no terminal", false, true],
  ])("shows nothing with %s", async (_, terminal, showPullProgress) => {
    verifies("CONT-04");
    await using registry = await startRegistry({ images: { [`${NAME}:v1`]: tiny } });
    const write = vi.spyOn(process.stderr, "write");
    // Nothing in it can run: that it was pulled is what counts.
    const start = async (): Promise<void> => {
      await rejection(ExecutionContainer.create({ tag: nameIn(registry), showPullProgress }), IpyboxError);
    };
    if (terminal) expect(await onTerminal(start)).toBe("");
    else await start();
    expect(write.mock.calls.filter(([chunk]) => String(chunk).includes("Pulling"))).toEqual([]);
    expect(await hasImage(nameIn(registry))).toBe(true);
    expect(await ownContainers()).toEqual([]);
  });

  it("may need a login, which `docker login` has stored", async () => {
    verifies("CONT-04");
    const login = { username: "me", password: "pass:word" };
    await using registry = await startRegistry({ images: { [`${NAME}:v1`]: tiny }, login });
    const tag = nameIn(registry);
    const config = join(directory, "docker-config");
    await mkdir(config, { recursive: true });
    vi.stubEnv("DOCKER_CONFIG", config);
    await writeFile(join(config, "config.json"), "{}");
    const without = await rejection(ExecutionContainer.create({ tag }), IpyboxError);
    expect(without).toMatchObject({
      code: "image_not_found",
      message: expect.stringMatching(/no basic auth credentials|unauthorized/) as string,
    });
    const auth = Buffer.from(`${login.username}:${login.password}`).toString("base64");
    await writeFile(join(config, "config.json"), JSON.stringify({ auths: { [registry.host]: { auth } } }));
    await new DockerEngine().pullImage(tag, {});
    expect(await hasImage(tag)).toBe(true);
  });

  it("stops being pulled when the signal aborts", async () => {
    verifies("CONT-04");
    await using registry = await startRegistry({ images: { [`${NAME}:v1`]: tiny }, bytesPerSecond: 100_000 });
    const controller = new AbortController();
    const reason = new Error("takes too long");
    const tag = nameIn(registry);
    const starting = rejection(ExecutionContainer.create({ tag, signal: controller.signal }), Error);
    await vi.waitFor(() => expect(registry.requests.some((request) => request.includes("/blobs/"))).toBe(true));
    controller.abort(reason);
    expect(await starting).toBe(reason);
    expect(await hasImage(tag)).toBe(false);
  });
});

describe("an image that can't be pulled is an error with the image, the registry's reason and the command that builds it:", () => {
  it.each([
    ["it is unknown there", {}, /manifest unknown|not found/],
    ["the registry refuses", { refusal: { status: 403, code: "DENIED", message: "the house is closed" } }, /the house is closed/],
    [
      "the registry is broken",
      { refusal: { status: 500, code: "UNKNOWN", message: "the shelf fell over" } },
      /the shelf fell over|500/,
    ],
  ])("%s", async (_, options, reason) => {
    verifies("CONT-04");
    await using registry = await startRegistry(options);
    const tag = nameIn(registry);
    const error = await rejection(ExecutionContainer.create({ tag }), IpyboxError);
    expect(error).toMatchObject({ code: "image_not_found", details: { image: tag } });
    expect(error.message).toContain(`Image ${tag} is not on this machine and can't be pulled: `);
    expect(error.message).toMatch(reason);
    expect(error.message).toContain(`npx ipybox build -t ${tag}`);
    expect(error.details["reason"]).toMatch(reason);
    expect(await ownContainers()).toEqual([]);
  });

  it("no registry is there", async () => {
    verifies("CONT-04");
    const tag = "127.0.0.1:1/ipybox-test/none";
    const error = await rejection(ExecutionContainer.create({ tag }), IpyboxError);
    expect(error.code).toBe("image_not_found");
    expect(error.message).toMatch(/connection refused.*npx ipybox build -t 127\.0\.0\.1:1\/ipybox-test\/none:latest/);
  });
});

/** Takes an image out of the daemon, in the form in which a registry has it. */
async function saveImage(tag: string, target: string): Promise<RegistryImage> {
  const files = (await docker.getImage(tag).get()).pipe(extract());
  for await (const entry of files) {
    const path = join(target, entry.header.name);
    if (entry.header.type !== "file") {
      entry.resume();
      continue;
    }
    await mkdir(dirname(path), { recursive: true });
    await pipeline(entry, createWriteStream(path));
  }
  const [manifest] = JSON.parse(await readFile(join(target, "manifest.json"), "utf8")) as [{ Config: string; Layers: string[] }];
  const layers = await Promise.all(manifest.Layers.map((layer) => fileBlob(join(target, layer))));
  return { config: await readFile(join(target, manifest.Config)), layers };
}
