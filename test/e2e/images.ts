import { afterAll } from "vitest";
import { DEFAULTS } from "../../src/options.ts";
import { docker, hasImage, inspect, removeImages } from "../integration/docker.ts";

const tags = new Set<string>();
const containers = new Set<string>();

/** A name for an image of this test file alone; it is removed at the end. */
export function imageTag(name: string): string {
  const tag = `ipybox-test/cli-${process.pid}:${name}`;
  tags.add(tag);
  return tag;
}

/** Gives the default image one more name. */
export async function tagDefaultImage(name: string): Promise<string> {
  const tag = imageTag(name);
  const [repo = "", version = ""] = tag.split(":");
  await docker.getImage(DEFAULTS.tag).tag({ repo, tag: version });
  return tag;
}

/** What the daemon knows of an image; undefined when it has none of that name. */
export async function findImage(tag: string): Promise<{ readonly id: string; readonly sizeBytes: number } | undefined> {
  if (!(await hasImage(tag))) return undefined;
  const { Id, Size } = await docker.getImage(tag).inspect();
  return { id: Id, sizeBytes: Size };
}

/** Creates a container that this tool knows nothing of, and gives its id. */
export async function createForeignContainer(image: string): Promise<string> {
  const { id } = await docker.createContainer({ Image: image, Labels: { "ipybox.container": "" } });
  containers.add(id);
  return id;
}

/** Whether the daemon has a container of that id. */
export async function hasContainer(id: string): Promise<boolean> {
  return (await inspect(id)) !== undefined;
}

afterAll(async () => {
  for (const id of containers) await docker.getContainer(id).remove({ force: true });
  await removeImages(...tags);
});
