import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ContainerDiedError, DEFAULTS, ExecutionClient, ExecutionContainer, IpyboxError } from "ipybox";
import { readRuntimeEntry } from "../../src/runtime-dir.ts";
import { verifies } from "../requirements.ts";
import { docker, inspect, ownContainers, removeImages } from "./docker.ts";
import { eventually, rejection } from "./sandbox.ts";

async function run(container: ExecutionContainer, code: string): Promise<string | null> {
  await using client = await ExecutionClient.connect({ host: container.host, port: container.port, token: container.token });
  return (await client.execute(code)).text;
}

describe("run() and kill()", () => {
  it("give a container in which code can be executed at once, and remove it", async () => {
    verifies("CONT-01");
    const container = new ExecutionContainer();
    await container.run();
    const { id, port } = container;
    expect(await run(container, "print('Hello, world!')")).toBe("Hello, world!");
    expect((await inspect(id))?.State.Running).toBe(true);
    expect(readRuntimeEntry("127.0.0.1", port)?.containerId).toBe(id);
    await container.kill();
    expect(await inspect(id)).toBeUndefined();
    expect(readRuntimeEntry("127.0.0.1", port)).toBeUndefined();
  });

  it("may be called twice, one after the other or at once", async () => {
    verifies("CONT-09");
    const container = new ExecutionContainer();
    await Promise.all([container.run(), container.run()]);
    const { id } = container;
    await container.run();
    expect(container.id).toBe(id);
    expect(await ownContainers()).toEqual([id]);
    await Promise.all([container.kill(), container.kill(), container.kill()]);
    await container.kill();
    expect(await ownContainers()).toEqual([]);
  });

  it("may be repeated with the same object", async () => {
    verifies("CONT-01", "CONT-09");
    const container = new ExecutionContainer();
    await container.run();
    const first = container.id;
    await container.kill();
    await container.run();
    expect(container.id).not.toBe(first);
    expect(await run(container, "1 + 1")).toBe("2");
    await container.kill();
  });

  it("kill() of one that never ran does nothing", async () => {
    verifies("CONT-09");
    const container = new ExecutionContainer();
    await container.kill();
    await Promise.all([container.kill(), container.kill()]);
    expect(await ownContainers()).toEqual([]);
  });

  it.each([0, 50, 200, 350])("kill() %i ms after run() ends the start, and nothing is left", async (delayMs) => {
    verifies("CONT-09");
    const container = new ExecutionContainer();
    const started = container.run().then(
      () => undefined,
      (error: unknown) => error,
    );
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    await container.kill();
    const error = await started;
    if (error !== undefined) expect(error).toMatchObject({ code: "invalid_state", message: /was killed while it started/ });
    expect(await ownContainers()).toEqual([]);
    expect(() => container.id).toThrow("after kill()");
  });

  it("kill() succeeds when somebody else has removed the container, or does so at that moment", async () => {
    verifies("CONT-09");
    const removed = await ExecutionContainer.create();
    await docker.getContainer(removed.id).remove({ force: true });
    await removed.kill();
    const contested = await ExecutionContainer.create();
    const removal = docker
      .getContainer(contested.id)
      .remove({ force: true })
      .then(
        () => "removed",
        (error: { statusCode?: number }) => error.statusCode,
      );
    await Promise.all([contested.kill(), contested.kill()]);
    // Whoever came first: the other finds it gone, or on its way.
    expect(["removed", 404, 409]).toContain(await removal);
    expect(await ownContainers()).toEqual([]);
  });

  it("run() ends with the reason of its signal, and nothing is left", async () => {
    verifies("CONT-09");
    const reason = new Error("no longer wanted");
    const controller = new AbortController();
    const starting = new ExecutionContainer({ signal: controller.signal }).run();
    setTimeout(() => controller.abort(reason), 100);
    expect(await rejection(starting, Error)).toBe(reason);
    expect(await rejection(new ExecutionContainer().run({ signal: AbortSignal.abort(reason) }), Error)).toBe(reason);
    expect(await ownContainers()).toEqual([]);
  });
});

describe("await using", () => {
  it("removes the container when the block is left", async () => {
    verifies("CONT-02");
    let id: string;
    {
      await using container = await ExecutionContainer.create();
      id = container.id;
      expect(await run(container, "print('inside')")).toBe("inside");
    }
    expect(await inspect(id)).toBeUndefined();
  });

  it("removes it, too, when the block throws", async () => {
    verifies("CONT-02");
    const thrown = new Error("out of the block");
    let id = "";
    const block = async (): Promise<void> => {
      await using container = await ExecutionContainer.create();
      id = container.id;
      throw thrown;
    };
    expect(await rejection(block(), Error)).toBe(thrown);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(await inspect(id)).toBeUndefined();
  });
});

describe("tag", () => {
  const other = "localhost:5000/ipybox-test/box:v1.2_3";
  const latest = "ipybox-test/untagged";
  beforeAll(async () => {
    const image = docker.getImage(DEFAULTS.tag);
    await image.tag({ repo: "localhost:5000/ipybox-test/box", tag: "v1.2_3" });
    await image.tag({ repo: latest });
  });
  afterAll(async () => {
    await removeImages(other, latest);
  });

  it("is the default image when left out", async () => {
    verifies("CONT-03");
    await using container = await ExecutionContainer.create();
    expect(container.tag).toBe(`${DEFAULTS.tag}:latest`);
    expect((await inspect(container.id))?.Config.Image).toBe(`${DEFAULTS.tag}:latest`);
  });

  it.each([
    ["with a registry's port", () => other, other],
    ["without a tag", () => latest, `${latest}:latest`],
    ["by its id", async () => (await docker.getImage(DEFAULTS.tag).inspect()).Id, undefined],
  ])("may be written %s", async (_, tag, full) => {
    verifies("CONT-03");
    const name = await tag();
    await using container = await ExecutionContainer.create({ tag: name });
    expect((await inspect(container.id))?.Config.Image).toBe(full ?? name);
    expect(await run(container, "print('runs')")).toBe("runs");
  });
});

describe("port", () => {
  it("is a free one when left out, on the loopback interface alone", async () => {
    verifies("CONT-07");
    await using one = await ExecutionContainer.create();
    await using two = await ExecutionContainer.create();
    expect(one.port).toBeGreaterThan(0);
    expect(two.port).not.toBe(one.port);
    const published = (await inspect(one.id))?.NetworkSettings.Ports["8888/tcp"];
    expect(published).toEqual([{ HostIp: "127.0.0.1", HostPort: String(one.port) }]);
    expect(await run(two, "print('here')")).toBe("here");
  });

  it("is the given one, also again right after kill()", async () => {
    verifies("CONT-07");
    const port = await freePort();
    for (const text of ["first", "second"]) {
      await using container = await ExecutionContainer.create({ port });
      expect(container.port).toBe(port);
      expect(await run(container, `print('${text}')`)).toBe(text);
    }
  });

  it("that is taken is named in the error, and nothing is left behind", async () => {
    verifies("CONT-07");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const container = new ExecutionContainer({ port });
    const error = await rejection(container.run(), IpyboxError);
    expect(error).toMatchObject({ code: "port_taken", details: { port } });
    expect(error.message).toContain(`Port ${port} of the host is taken. Pass another \`port\``);
    expect(await ownContainers()).toEqual([]);
    await new Promise((resolve) => server.close(resolve));
    await container.run();
    expect(container.port).toBe(port);
    await container.kill();
  });

  it("of another container is taken, too", async () => {
    verifies("CONT-07");
    await using container = await ExecutionContainer.create();
    const { port } = container;
    expect(await rejection(ExecutionContainer.create({ port }), IpyboxError)).toMatchObject({
      code: "port_taken",
      details: { port },
    });
    expect(await ownContainers()).toEqual([container.id]);
    expect(await run(container, "print('undisturbed')")).toBe("undisturbed");
  });

  it("throws before run() and after kill(), as host, token and id do", async () => {
    verifies("CONT-07");
    const container = new ExecutionContainer();
    const properties = ["port", "host", "token", "id"] as const;
    for (const property of properties)
      expect(() => container[property]).toThrow(/before run\(\) has resolved.*Call run\(\) first/);
    await container.run();
    for (const property of properties) expect(container[property]).toBeTruthy();
    await container.kill();
    for (const property of properties) expect(() => container[property]).toThrow(/after kill\(\)/);
  });
});

describe("a container that somebody else removes", () => {
  it("rejects what runs in it and what comes later", async () => {
    verifies("KERN-07", "CONT-09");
    await using container = await ExecutionContainer.create();
    await using client = await ExecutionClient.connect({ port: container.port });
    const execution = client.submit("import time\nprint('before')\ntime.sleep(100)");
    let seen = "";
    const reading = (async () => {
      for await (const chunk of execution.stream()) seen += chunk;
    })();
    const failure = rejection(reading, ContainerDiedError);
    await eventually(() => seen !== "");
    await docker.getContainer(container.id).remove({ force: true });
    expect((await failure).result?.text).toBe("before");
    await rejection(client.execute("1"), ContainerDiedError);
  });
});

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

it("somebody who starts a container again does not run what cells have left for root", async () => {
  verifies("SEC-04");
  const out = await mkdtemp(join(tmpdir(), "ipybox-restart-"));
  try {
    await chmod(out, 0o777);
    await using container = await ExecutionContainer.create({ network: "none", binds: { [out]: "out" } });
    await run(
      container,
      `
import os, pathlib
for name in ("env", "node", "renice", "cat", "rm", "nice", "sh"):
    path = pathlib.Path("/venv/bin") / name
    path.write_text(f"#!/bin/sh\\nid -u > /app/out/{name}\\nexec /usr/bin/{name} \\"$@\\"\\n")
    path.chmod(0o755)`,
    );
    const engine = docker.getContainer(container.id);
    await engine.restart({ t: 1 });
    // The agent has no owner any more, and gives up; or it is known at once that it was started by others.
    await eventually(async () => (await inspect(container.id))?.State.Running !== true, 40_000);
    const found = await Promise.all((await readdir(out)).map(async (name) => [name, await readFile(join(out, name), "utf8")]));
    expect(found.filter(([, uid]) => uid === "0\n")).toEqual([]);
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}, 90_000);
