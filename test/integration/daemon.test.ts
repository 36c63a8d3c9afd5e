import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { request as httpRequest } from "node:http";
import { buffer } from "node:stream/consumers";
import type Docker from "dockerode";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { DEFAULTS, ExecutionClient, ExecutionContainer, type IpyboxError } from "ipybox";
import { DockerEngine } from "../../src/engine/docker/docker-engine.ts";
import { makeAuthority } from "../fakes/authority.ts";
import { daemonOfVersion, fakeDaemon, tcpForwarder, tlsForwarder } from "../fakes/daemon.ts";
import { verifies } from "../requirements.ts";
import { CONTAINER_LABEL, HELPER_LABEL, SESSION_LABEL } from "../../src/protocol/labels.ts";
import { containersWith, docker, SOCKET } from "./docker.ts";
import { rejection } from "./sandbox.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ipybox-test-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});
afterEach(() => {
  vi.unstubAllEnvs();
});

async function failureWith(dockerHost: string): Promise<{ error: IpyboxError; seconds: number }> {
  const startedAt = performance.now();
  const error = await rejection(ExecutionContainer.create({ dockerHost }), Error);
  return { error: error as IpyboxError, seconds: (performance.now() - startedAt) / 1000 };
}

describe("a daemon that can't be used is told apart within 5 s:", () => {
  test.each([
    ["a socket that is not there", "unix:///does/not/exist.sock"],
    ["a port where nothing listens", "tcp://127.0.0.1:1"],
    ["a host that does not exist", "tcp://nowhere.invalid:2375"],
  ])("absent: %s", async (_, dockerHost) => {
    verifies("CONT-10");
    const { error, seconds } = await failureWith(dockerHost);
    expect(error.code).toBe("daemon_unreachable");
    expect(error.message).toContain(dockerHost);
    expect(error.message).toMatch(/Start it|Check that it runs/);
    expect(seconds).toBeLessThan(5);
  });

  test("absent: a daemon that accepts and stays silent", async () => {
    verifies("CONT-10");
    await using silent = await fakeDaemon(() => undefined);
    const { error, seconds } = await failureWith(silent.dockerHost);
    expect(error.code).toBe("daemon_unreachable");
    expect(error.message).toContain("did not answer within 4.5 s");
    expect(seconds).toBeLessThan(5);
  });

  test("absent: something that is no Docker daemon", async () => {
    verifies("CONT-10");
    await using other = await fakeDaemon((_, response) => response.end("<html>hello</html>"));
    const { error } = await failureWith(other.dockerHost);
    expect(error.code).toBe("daemon_unreachable");
    expect(error.message).toContain("no Docker daemon");
  });

  test("not permitted", async () => {
    verifies("CONT-10");
    await using closed = await fakeDaemon((_, response) => response.writeHead(403).end('{"message":"access denied"}'));
    const { error } = await failureWith(closed.dockerHost);
    expect(error.code).toBe("daemon_permission");
    expect(error.message).toMatch(/does not let you in: access denied.*usermod -aG docker/);
  });

  test("too old", async () => {
    verifies("CONT-10");
    await using old = await daemonOfVersion({ Version: "19.03.15", ApiVersion: "1.40", MinAPIVersion: "1.12" });
    const { error } = await failureWith(old.dockerHost);
    expect(error.code).toBe("daemon_too_old");
    expect(error.message).toMatch(/Docker 19\.03\.15 speaks API 1\.40, needed is 1\.41\. Upgrade/);
  });
});

test("the API version is settled with the daemon: its own if older, else the newest that is known or that it still speaks", async () => {
  const paths: string[] = [];
  const versions = [
    ["1.41", "1.12", "/v1.41/"],
    ["1.60", "1.44", "/v1.47/"],
    ["1.90", "1.70", "/v1.70/"],
  ] as const;
  for (const [ApiVersion, MinAPIVersion, expected] of versions) {
    await using daemon = await fakeDaemon((request, response) => {
      paths.push(request.url ?? "");
      response.end(JSON.stringify({ Version: "x", ApiVersion, MinAPIVersion, NCPU: 1, MemTotal: 1, Id: "box" }));
    });
    const engine = new DockerEngine(daemon.dockerHost);
    await engine.check();
    await engine.hasImage("box:latest");
    expect(paths.at(-1)).toMatch(new RegExp(`^${expected}`));
  }
});

const TOO_DEEP = `unlinkat /layer${"/d".repeat(100_000)}: too many open files`;

test("files that are nested too deep for the daemon are deleted by another container, which leaves nothing", async () => {
  verifies("LIFE-04", "CONT-09");
  const code = "import os; os.chdir('/tmp'); [(os.mkdir('d', 0o500), os.chdir('d')) for _ in range(500)]; os.mkdir('/app/e', 0)";
  const { id } = await docker.createContainer({
    Image: DEFAULTS.tag,
    Entrypoint: ["/usr/bin/python3", "-c", code],
    Labels: { [CONTAINER_LABEL]: "1", [SESSION_LABEL]: "deep" },
  });
  const container = docker.getContainer(id);
  await container.start();
  await container.wait();
  /** What it has written, at each attempt to remove it. */
  const written: string[][] = [];
  const helpers: Docker.ContainerCreateOptions[] = [];
  await using daemon = await fakeDaemon(async (request, response) => {
    if (request.method === "DELETE" && request.url?.includes(id) === true) {
      const changes = JSON.stringify(await container.changes());
      written.push(["/app/e", "/tmp/d"].filter((path) => changes.includes(JSON.stringify(path))));
      if (written.length === 1) {
        response.writeHead(500, { "content-type": "application/json" }).end(JSON.stringify({ message: TOO_DEEP }));
        return;
      }
    }
    const body = await buffer(request);
    if (request.url?.includes("/containers/create") === true) {
      helpers.push(JSON.parse(body.toString()) as Docker.ContainerCreateOptions);
    }
    const { method = "GET", url: path = "/", headers } = request;
    const forwarded = httpRequest({ socketPath: SOCKET, method, path, headers }, (answer) => {
      answer.pipe(response.writeHead(answer.statusCode ?? 500, answer.headers));
    });
    forwarded.end(body);
  });
  try {
    await new DockerEngine(daemon.dockerHost).remove(id);
  } finally {
    await container.remove({ force: true }).catch(() => undefined);
  }
  expect(written).toEqual([["/app/e", "/tmp/d"], []]);
  expect(helpers).toMatchObject([{ Labels: { [HELPER_LABEL]: "removal", [SESSION_LABEL]: "deep" } }]);
  expect(helpers[0]?.Labels).not.toHaveProperty([CONTAINER_LABEL]);
  expect(await containersWith(`${SESSION_LABEL}=deep`)).toEqual([]);
});

test.each([
  [{ State: { Running: false }, Config: {}, GraphDriver: null }, /does not say where they are/],
  [{ State: { Running: false }, Config: {}, GraphDriver: { Data: null } }, /does not say where they are/],
  [{ State: { Running: true }, Config: {}, GraphDriver: { Data: { UpperDir: "/layer" } } }, /still runs/],
])("files that are nested too deep for the daemon, and can't be deleted: %j", async (container, reason) => {
  verifies("LIFE-04", "CONT-10");
  await using daemon = await fakeDaemon(({ method }, response) => {
    const isRemoval = method === "DELETE";
    response.writeHead(isRemoval ? 500 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(isRemoval ? { message: TOO_DEEP } : container));
  });
  const error = await rejection(new DockerEngine(daemon.dockerHost).remove("0123456789abcdef"), Error);
  expect(error.message).toMatch(/^Container 0123456789ab can't be removed: its files are nested deeper/);
  expect(error.message).toMatch(reason);
});

test("a removal that somebody else has begun and that fails is begun again, and its own reason told", async () => {
  verifies("CONT-09", "CONT-10");
  const answers = [
    [409, "removal of container 0123456789ab is already in progress"],
    [409, "removal of container 0123456789ab is already in progress"],
    [500, "device or resource busy"],
  ] as const;
  let next = 0;
  await using daemon = await fakeDaemon(({ method }, response) => {
    const [status, message] = method === "DELETE" ? (answers[next++] ?? [404, "gone"]) : [200, ""];
    const failure = { StatusCode: 137, Error: { Message: "too many open files" } };
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(method === "DELETE" ? { message } : failure));
  });
  const error = (await rejection(new DockerEngine(daemon.dockerHost).remove("0123456789abcdef"), Error)) as IpyboxError;
  expect(error).toMatchObject({
    code: "engine_failed",
    message: "Container 0123456789ab can't be removed: device or resource busy",
  });
  expect(next).toBe(3);
});

test.each([true, false])(
  "a removal that somebody else has begun is looked at again when the daemon does not tell of its end, its answer begun: %s",
  async (begins) => {
    verifies("CONT-09", "LIFE-04");
    let removals = 0;
    await using daemon = await fakeDaemon(({ method }, response) => {
      if (method !== "DELETE") {
        if (begins) response.flushHeaders();
        return; // the rest of the answer of a wait never comes
      }
      removals += 1;
      const [status, message] =
        removals === 1 ? [409, "removal of container 0123456789ab is already in progress"] : [404, "gone"];
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ message }));
    });
    await new DockerEngine(daemon.dockerHost).remove("0123456789abcdef");
    expect(removals).toBe(2);
  },
);

test("what a daemon says is told in its beginning and its end when it is long", async () => {
  verifies("CONT-10");
  const message = `unlinkat ${"/d".repeat(100_000)}: no space left`;
  await using daemon = await fakeDaemon((_, response) => response.writeHead(500).end(JSON.stringify({ message })));
  const error = await rejection(new DockerEngine(daemon.dockerHost).remove("0123456789abcdef"), Error);
  expect(error.message).toMatch(/^Container 0123456789ab can't be removed: unlinkat (\/d)+\/? … .*: no space left$/);
  expect(error.message.length).toBeLessThan(5_000);
});

async function greet(options: { dockerHost?: string } = {}): Promise<string | null> {
  await using container = await ExecutionContainer.create(options);
  await using client = await ExecutionClient.connect({ host: container.host, port: container.port });
  return (await client.execute("print('hi')")).text;
}

describe("a container runs on a daemon that is reached", () => {
  test("over TCP, by DOCKER_HOST", async () => {
    verifies("CONT-08");
    await using forwarder = await tcpForwarder(SOCKET);
    vi.stubEnv("DOCKER_HOST", forwarder.dockerHost);
    expect(await greet()).toBe("hi");
  });

  test("over TLS, by DOCKER_CERT_PATH, and not without the right certificates", async () => {
    verifies("CONT-08");
    const authority = await makeAuthority(directory);
    const server = await authority.issue("server", "IP:127.0.0.1");
    const client = await authority.issue("client", "DNS:client");
    await using forwarder = await tlsForwarder(SOCKET, {
      ...server,
      ca: authority.pem,
      requestCert: true,
      rejectUnauthorized: true,
    });
    const certificates = join(directory, "certificates");
    await mkdir(certificates);
    await writeFile(join(certificates, "ca.pem"), authority.pem);
    vi.stubEnv("DOCKER_HOST", forwarder.dockerHost);
    vi.stubEnv("DOCKER_TLS_VERIFY", "1");
    vi.stubEnv("DOCKER_CERT_PATH", certificates);
    expect((await rejection(greet(), Error)) as IpyboxError).toMatchObject({ code: "daemon_unreachable" });
    await writeFile(join(certificates, "cert.pem"), client.cert);
    await writeFile(join(certificates, "key.pem"), client.key);
    expect(await greet()).toBe("hi");
    const stranger = await makeAuthority(await mkdtemp(join(directory, "stranger-")));
    await writeFile(join(certificates, "ca.pem"), stranger.pem);
    expect((await rejection(greet(), Error)) as IpyboxError).toMatchObject({ code: "daemon_unreachable" });
  });

  test("over the user's own ssh", async () => {
    verifies("CONT-08");
    // Stands in for an ssh server: whatever it is told to run there, it dials the local daemon.
    const script = `#!/usr/bin/env node
      const socket = require("node:net").connect("${SOCKET}");
      if (process.argv.slice(-3).join(" ") !== "docker system dial-stdio") process.exit(9);
      process.stdin.pipe(socket).pipe(process.stdout);`;
    await mkdir(join(directory, "bin"), { recursive: true });
    await writeFile(join(directory, "bin/ssh"), script);
    await chmod(join(directory, "bin/ssh"), 0o755);
    vi.stubEnv("PATH", `${join(directory, "bin")}${delimiter}${process.env.PATH}`);
    const engine = new DockerEngine("ssh://me@127.0.0.1");
    expect((await engine.check()).cpus).toBeGreaterThan(0);
    expect(await engine.list({ "ipybox.container": "none" })).toEqual([]);
  });

  test("and when ssh refuses, its own words are the reason", async () => {
    verifies("CONT-08", "CONT-10");
    await mkdir(join(directory, "refusing"), { recursive: true });
    await writeFile(join(directory, "refusing/ssh"), "#!/bin/sh\necho 'Host key verification failed.' >&2\nexit 255\n");
    await chmod(join(directory, "refusing/ssh"), 0o755);
    vi.stubEnv("PATH", `${join(directory, "refusing")}${delimiter}${process.env.PATH}`);
    const { error } = await failureWith("ssh://me@far.example");
    expect(error.code).toBe("daemon_unreachable");
    expect(error.message).toMatch(/Host key verification failed\..*known_hosts/);
  });
});
