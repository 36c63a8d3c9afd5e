import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { DEFAULTS, ExecutionContainer } from "ipybox";
import { listContainers, removeContainers, removeRemains } from "../../src/containers.ts";
import { readRuntimeEntry, saveRuntimeEntry } from "../../src/runtime-dir.ts";
import { SESSION_LABEL } from "../../src/protocol/labels.ts";
import { verifies } from "../requirements.ts";
import { docker, inspect, removeImages } from "./docker.ts";

// Names of their own, so that containers of whoever else uses this daemon are not meant.
const IMAGE = "ipybox-test/labels:one";
const OTHER = "ipybox-test/labels:two";

beforeAll(async () => {
  for (const tag of ["one", "two"]) await docker.getImage(DEFAULTS.tag).tag({ repo: "ipybox-test/labels", tag });
});
afterAll(async () => {
  await removeImages(IMAGE, OTHER);
});

describe("the labels of a container", () => {
  it("tell that it is one, of which start, of which process and since when", async () => {
    verifies("CONT-12");
    const before = Date.now();
    await using one = await ExecutionContainer.create({ tag: IMAGE });
    await using two = await ExecutionContainer.create({ tag: IMAGE });
    const [labels, others] = [(await inspect(one.id))?.Config.Labels ?? {}, (await inspect(two.id))?.Config.Labels ?? {}];
    expect(labels).toMatchObject({
      "ipybox.container": "1",
      "ipybox.tag": IMAGE,
      "ipybox.owner": `${process.pid}@${hostname()}`,
    });
    expect(labels["ipybox.session"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(labels["ipybox.session"]).not.toBe(others["ipybox.session"]);
    const created = Date.parse(labels["ipybox.created"] ?? "");
    expect(created).toBeGreaterThanOrEqual(before);
    expect(created).toBeLessThanOrEqual(Date.now());
  });

  it("are what listing goes by", async () => {
    verifies("CONT-12");
    await using container = await ExecutionContainer.create({ tag: IMAGE });
    await using stranger = await strangerOf(IMAGE);
    const found = await listContainers({ image: IMAGE });
    expect(found).toMatchObject([{ id: container.id, image: IMAGE, running: true, port: container.port }]);
    expect((await listContainers()).map(({ id }) => id)).not.toContain(stranger.id);
  });
});

describe("removing containers", () => {
  it("of one image leaves those of others, and whatever has no label of this package, alone", async () => {
    verifies("CONT-12", "IMG-03");
    const container = await ExecutionContainer.create({ tag: IMAGE });
    const { port } = container;
    const ended = await ExecutionContainer.create({ tag: IMAGE, detached: true });
    await docker.getContainer(ended.id).stop({ t: 0 });
    await using other = await ExecutionContainer.create({ tag: OTHER });
    await using stranger = await strangerOf(IMAGE);
    const ids = [container.id, ended.id];
    expect((await removeContainers({ image: IMAGE })).map(({ id }) => id).sort()).toEqual(ids.sort());
    for (const id of ids) expect(await inspect(id)).toBeUndefined();
    expect(readRuntimeEntry("127.0.0.1", port)).toBeUndefined();
    expect((await inspect(other.id))?.State.Running).toBe(true);
    expect(await inspect(stranger.id)).toBeDefined();
    expect(await removeContainers({ image: IMAGE })).toEqual([]);
    await Promise.all([container.kill(), ended.kill()]);
  });

  it("of an image takes its name as it is usually written", async () => {
    verifies("IMG-03");
    expect(await removeContainers({ image: "ipybox-test/none" })).toEqual([]);
    await expect(removeContainers({ image: "Not An Image" })).rejects.toMatchObject({ code: "invalid_option" });
  });
});

describe("removing what is left of containers that are gone", () => {
  it("takes tokens that lead nowhere and helpers of nobody; others, and those of other daemons, stay", async () => {
    verifies("LIFE-01");
    const directory = await mkdtemp(join(tmpdir(), "ipybox-remains-"));
    vi.stubEnv("XDG_RUNTIME_DIR", directory);
    try {
      await using container = await ExecutionContainer.create({ tag: IMAGE });
      const { port } = container;
      const known = readRuntimeEntry("127.0.0.1", port);
      if (known === undefined) throw new Error("the container has no entry");
      const gone = randomUUID();
      await saveRuntimeEntry("127.0.0.1", 1, { ...known, session: gone });
      await saveRuntimeEntry("127.0.0.1", 2, { ...known, session: gone, dockerHost: "unix:///elsewhere" });
      const helper = await helperOf(gone);
      await using needed = await helperOf(known.session);
      expect(await removeRemains()).toBe(1);
      expect(await inspect(helper.id)).toBeUndefined();
      expect(await inspect(needed.id)).toBeDefined();
      expect((await readdir(join(directory, "ipybox"))).sort()).toEqual(["127.0.0.1.2.json", `127.0.0.1.${port}.json`].sort());
      expect(await removeRemains()).toBe(0);
    } finally {
      vi.unstubAllEnvs();
      await rm(directory, { recursive: true, force: true });
    }
  });
});

/** A container that has helped another one, as its label tells. */
async function helperOf(session: string): Promise<AsyncDisposable & { readonly id: string }> {
  const Labels = { [SESSION_LABEL]: session };
  const container = await docker.createContainer({ Image: IMAGE, Entrypoint: ["/bin/sleep", "600"], Labels });
  return { id: container.id, [Symbol.asyncDispose]: () => container.remove({ force: true }) };
}

/** A container of the same image that somebody has started by other means. */
async function strangerOf(image: string): Promise<AsyncDisposable & { readonly id: string }> {
  const container = await docker.createContainer({ Image: image, Entrypoint: ["/bin/sleep", "600"] });
  return { id: container.id, [Symbol.asyncDispose]: () => container.remove({ force: true }) };
}
