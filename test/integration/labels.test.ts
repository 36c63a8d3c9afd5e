import { hostname } from "node:os";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEFAULTS, ExecutionContainer } from "ipybox";
import { listContainers, removeContainers } from "../../src/containers.ts";
import { readRuntimeEntry } from "../../src/runtime-dir.ts";
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
    const ended = await ExecutionContainer.create({ tag: IMAGE });
    await docker.getContainer(ended.id).stop({ t: 0 });
    await using other = await ExecutionContainer.create({ tag: OTHER });
    await using stranger = await strangerOf(IMAGE);
    const ids = [container.id, ended.id];
    expect((await removeContainers({ image: IMAGE })).map(({ id }) => id).sort()).toEqual(ids.sort());
    for (const id of ids) expect(await inspect(id)).toBeUndefined();
    expect(await readRuntimeEntry("127.0.0.1", port)).toBeUndefined();
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

/** A container of the same image that somebody has started by other means. */
async function strangerOf(image: string): Promise<AsyncDisposable & { readonly id: string }> {
  const container = await docker.createContainer({ Image: image, Entrypoint: ["/bin/sleep", "600"] });
  return { id: container.id, [Symbol.asyncDispose]: () => container.remove({ force: true }) };
}
