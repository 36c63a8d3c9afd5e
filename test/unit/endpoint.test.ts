import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { readDockerConfig } from "../../src/engine/docker/contexts.ts";
import { isLocal, publishedHost, resolveEndpoint } from "../../src/engine/docker/endpoint.ts";
import { sshArguments } from "../../src/engine/docker/ssh-agent.ts";
import { verifies } from "../requirements.ts";

vi.mock("node:os", async (load) => {
  const os = await load<typeof import("node:os")>();
  return { ...os, homedir: vi.fn<typeof os.homedir>(os.homedir) };
});

let config: string;

beforeAll(async () => {
  config = await mkdtemp(join(tmpdir(), "ipybox-docker-config-"));
  await writeFile(join(config, "config.json"), JSON.stringify({ currentContext: "far" }));
  await writeContext("far", "tcp://far.example:2376");
  await writeContext("near", "unix:///near.sock");
  const tls = join(config, "contexts/tls", idOf("far"), "docker");
  await mkdir(tls, { recursive: true });
  await writeFile(join(tls, "ca.pem"), "authority");
});
afterAll(async () => {
  await rm(config, { recursive: true, force: true });
});

describe("the daemon is found", () => {
  test("where the user has no home directory, as in a container with a uid of its own", () => {
    verifies("CONT-08");
    vi.mocked(homedir).mockImplementation(() => {
      throw new Error("uv_os_homedir returned ENOENT");
    });
    try {
      expect(resolveEndpoint(undefined, {})).toMatchObject({ kind: "socket", source: "the default" });
      expect(readDockerConfig({})).toEqual({});
    } finally {
      vi.mocked(homedir).mockReset();
    }
  });

  test("by the option first, then DOCKER_HOST, DOCKER_CONTEXT and the current context", () => {
    verifies("CONT-08");
    const env = { DOCKER_CONFIG: config, DOCKER_CONTEXT: "near", DOCKER_HOST: "tcp://host.example:2375" };
    expect(resolveEndpoint("unix:///option.sock", env)).toMatchObject({ path: "/option.sock", source: "dockerHost" });
    expect(resolveEndpoint(undefined, env)).toMatchObject({ host: "host.example", port: 2375, tls: undefined });
    expect(resolveEndpoint(undefined, { ...env, DOCKER_HOST: "" })).toMatchObject({ path: "/near.sock" });
    const current = resolveEndpoint(undefined, { DOCKER_CONFIG: config });
    expect(current).toMatchObject({ host: "far.example", port: 2376, tls: { verify: true } });
    expect(current.kind === "tcp" && current.tls?.ca?.toString()).toBe("authority");
  });

  test("at the usual socket when nothing is set", () => {
    verifies("CONT-08");
    const endpoint = resolveEndpoint(undefined, { DOCKER_CONFIG: join(config, "none") });
    expect(endpoint).toMatchObject({ kind: "socket", source: "the default" });
  });

  test("with the certificates of DOCKER_CERT_PATH, verified or not", () => {
    verifies("CONT-08");
    const certificates = join(config, "contexts/tls", idOf("far"), "docker");
    const env = { DOCKER_HOST: "tcp://host.example", DOCKER_CERT_PATH: certificates };
    expect(resolveEndpoint(undefined, { ...env, DOCKER_TLS_VERIFY: "1" })).toMatchObject({ port: 2376, tls: { verify: true } });
    expect(resolveEndpoint(undefined, { ...env, DOCKER_TLS: "1" })).toMatchObject({ port: 2376, tls: { verify: false } });
    expect(resolveEndpoint(undefined, env)).toMatchObject({ port: 2375, tls: undefined });
    const wrong = { ...env, DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: "/none" };
    expect(() => resolveEndpoint(undefined, wrong)).toThrow(/\/none holds none of ca\.pem.*DOCKER_CERT_PATH/);
  });

  test("over ssh, with the user's own ssh and no way to pass it options", () => {
    verifies("CONT-08");
    const endpoint = resolveEndpoint("ssh://me@far.example:2222");
    expect(endpoint).toMatchObject({ kind: "ssh", host: "far.example", port: 2222, user: "me" });
    if (endpoint.kind !== "ssh") throw new Error("no ssh endpoint");
    const line = sshArguments(endpoint).join(" ");
    expect(line).toContain("-p 2222 -l me -- far.example docker system dial-stdio");
    expect(line).not.toMatch(/StrictHostKeyChecking|KnownHosts/);
  });

  test.each(["", "ftp://x", "tcp://", "unix://", "://"])("%j is refused with how to write it", (given) => {
    expect(() => resolveEndpoint(given)).toThrow(/no address of a Docker daemon.*unix:\/\/\/var\/run\/docker\.sock/);
  });

  test("an unknown context is an error that names it", () => {
    const env = { DOCKER_CONFIG: config, DOCKER_CONTEXT: "nowhere" };
    expect(() => resolveEndpoint(undefined, env)).toThrow(/context "nowhere" can't be read.*docker context ls/);
  });
});

test("published ports are reached on the loopback interface of a local daemon, else on the daemon's host", () => {
  verifies("CONT-08");
  const hostOf = (text: string): [boolean, string] => [isLocal(resolveEndpoint(text)), publishedHost(resolveEndpoint(text))];
  expect(hostOf("unix:///x.sock")).toEqual([true, "127.0.0.1"]);
  expect(hostOf("tcp://localhost:2375")).toEqual([true, "127.0.0.1"]);
  expect(hostOf("tcp://192.168.94.50:2375")).toEqual([false, "192.168.94.50"]);
  expect(hostOf("ssh://me@far.example")).toEqual([false, "far.example"]);
});

function idOf(name: string): string {
  return createHash("sha256").update(name).digest("hex");
}

async function writeContext(name: string, host: string): Promise<void> {
  const directory = join(config, "contexts/meta", idOf(name));
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "meta.json"), JSON.stringify({ Name: name, Endpoints: { docker: { Host: host } } }));
}
