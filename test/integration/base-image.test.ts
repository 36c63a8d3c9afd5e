import { afterAll, expect, it } from "vitest";
import { ensureBaseImage } from "../../src/base-image.ts";
import { DockerEngine } from "../../src/engine/docker/docker-engine.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { IpyboxError } from "../../src/errors.ts";
import { verifies } from "../requirements.ts";
import { docker, hasImage, removeImages } from "./docker.ts";

const TAG = "ipybox-test/base:made";

afterAll(async () => {
  await removeImages(TAG);
});

/** The machine's own daemon without a base image, and without a registry that has one. */
class BareEngine extends DockerEngine implements Engine {
  readonly imported: string[] = [];

  override hasImage(): Promise<boolean> {
    return Promise.resolve(false);
  }
  override pullImage(image: string): Promise<void> {
    return Promise.reject(new IpyboxError("engine_failed", `Image ${image} can't be pulled: no route to host`));
  }
  override importImage(request: Parameters<Engine["importImage"]>[0]): Promise<void> {
    this.imported.push(request.tag);
    // Under a name of the test's own: images are built on the real one.
    return super.importImage({ ...request, tag: TAG });
  }
}

it("without a registry the base image is made from Debian's packages, which is told in one line", async () => {
  verifies("IMG-02");
  const announced: string[] = [];
  const engine = new BareEngine();
  const image = await ensureBaseImage(engine, { announce: (line) => announced.push(line) });
  expect(image).toBe("ipybox-base:trixie");
  expect(engine.imported).toEqual([image]);
  expect(announced).toHaveLength(1);
  expect(announced[0]).toMatch(
    /^debian:trixie-slim can't be pulled: making the base image ipybox-base:trixie from Debian's packages/,
  );
  expect(announced[0]).not.toContain("\n");
  expect(await hasImage(TAG)).toBe(true);
  expect((await docker.getImage(TAG).inspect()).Size).toBeLessThan(150e6);
  const shown = await run("cat /etc/os-release && apt-get --version");
  expect(shown).toMatch(/VERSION_CODENAME=trixie/);
  expect(shown).toMatch(/^apt \d/m);
}, 180_000);

/** What a command in a container of that image prints. */
async function run(command: string): Promise<string> {
  const container = await docker.createContainer({ Image: TAG, Cmd: ["/bin/sh", "-c", command], Tty: true });
  try {
    await container.start();
    await container.wait();
    return (await container.logs({ stdout: true, stderr: true, follow: false })).toString();
  } finally {
    await container.remove({ force: true });
  }
}
