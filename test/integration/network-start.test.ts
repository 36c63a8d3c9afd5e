import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEFAULTS, ExecutionClient, ExecutionContainer, IpyboxError, type NetworkPolicy } from "ipybox";
import { listContainers, removeRemains } from "../../src/containers.ts";
import { HELPER_LABEL, OWNER_LABEL, SESSION_LABEL } from "../../src/protocol/labels.ts";
import { verifies } from "../requirements.ts";
import { docker, inspect, ownContainers, removeImages } from "./docker.ts";
import { networkHelpersOf } from "./networked.ts";
import { eventually, rejection } from "./sandbox.ts";

describe("where the rules can't be put into effect", () => {
  const tag = "ipybox-test/without-nft:latest";
  beforeAll(async () => {
    const container = await docker.createContainer({ Image: DEFAULTS.tag, Entrypoint: ["/bin/rm", "/usr/sbin/nft"] });
    await container.start();
    await container.wait();
    const changes = 'ENTRYPOINT ["/usr/bin/tini", "--", "/opt/ipybox/entrypoint.sh"]';
    await container.commit({ repo: "ipybox-test/without-nft", tag: "latest", changes });
    await container.remove({ force: true });
  });
  afterAll(() => removeImages(tag));

  test.each<[string, NetworkPolicy]>([
    ["none", "none"],
    ["public", "public"],
    ["a list", { allow: ["example.org"] }],
  ])("a start with the policy %s fails, says why and leaves nothing", async (_, network) => {
    verifies("NET-02");
    const error = await rejection(ExecutionContainer.create({ tag, network }), IpyboxError);
    expect(error.code).toBe("network_failed");
    expect(error.message).toMatch(/network policy can't be put into effect: .*nft/s);
    expect(await ownContainers()).toEqual([]);
  });

  test("a change fails, and the policy before holds on", async () => {
    verifies("NET-02", "NET-08");
    await using container = await ExecutionContainer.create({ tag });
    const error = await rejection(container.setNetwork("none"), IpyboxError);
    expect(error.code).toBe("network_failed");
    expect(await ownContainers()).toEqual([container.id]);
    await using client = await ExecutionClient.connect({ port: container.port });
    expect((await client.execute("import os; print(os.environ.get('HTTP_PROXY'))")).text).not.toContain("127.0.0.1");
  });

  test("nor is anything begun for the policy internet, which needs no rules", async () => {
    verifies("NET-01");
    await using container = await ExecutionContainer.create({ tag, network: "internet" });
    expect(await networkHelpersOf(container.id)).toEqual([]);
    expect(container.port).toBeGreaterThan(0);
  });
});

test("a start that is given up while the policy is put into effect leaves nothing", async () => {
  verifies("NET-02", "CONT-09");
  for (const afterMs of [5, 50, 150, 300, 600]) {
    const container = new ExecutionContainer({ network: "none" });
    const started = container.run().catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    await container.kill();
    await started;
    expect(await ownContainers()).toEqual([]);
  }
});

test("cells can't take the rules away, nor can root of their container", async () => {
  verifies("NET-02", "SEC-01");
  await using container = await ExecutionContainer.create({ network: "none" });
  await using client = await ExecutionClient.connect({ port: container.port });
  const { text } = await client.execute(`
import subprocess
for verb in ("flush", "list"):
    print(subprocess.run(["/usr/sbin/nft", verb, "ruleset"], capture_output=True).returncode != 0)
`);
  expect(text).toBe("True\nTrue");
  const exec = await docker.getContainer(container.id).exec({ Cmd: ["/usr/sbin/nft", "flush", "ruleset"], User: "0" });
  await exec.start({ Detach: true });
  // Before it has begun, it has no exit code either.
  await eventually(async () => (await exec.inspect()).ExitCode !== null);
  expect((await exec.inspect()).ExitCode).not.toBe(0);
});

test("nobody outside reaches what a cell listens on, but the agent", async () => {
  verifies("NET-02");
  const listen = `
import socket
listener = socket.create_server(("0.0.0.0", 7000))`;
  for (const [network, outcome] of [
    ["internet", "reached"],
    ["public", "TimeoutError"],
    // Not even who may be reached: Docker's own addresses are of these.
    [{ allow: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"] }, "TimeoutError"],
  ] as const) {
    await using container = await ExecutionContainer.create({ network });
    await using client = await ExecutionClient.connect({ port: container.port });
    await client.execute(listen);
    const networks = (await inspect(container.id))?.NetworkSettings.Networks ?? {};
    const [address] = Object.values(networks).map(({ IPAddress }) => IPAddress);
    const attempt = (port: number): Promise<string> =>
      neighbour(`
import socket
try:
    socket.create_connection(("${address}", ${port}), 2); print("reached")
except OSError as error:
    print(type(error).__name__)`);
    expect(await attempt(7000)).toBe(outcome);
    expect(await attempt(8888)).toBe("reached");
  }
});

test("who has connected to a cell is cut off by a change from internet, also if cells may send to it", async () => {
  verifies("NET-02", "NET-08");
  await using container = await ExecutionContainer.create();
  await using client = await ExecutionClient.connect({ port: container.port });
  await client.execute(`
import socket
listeners = [socket.create_server((address, 7000 + index)) for index, address in enumerate(["0.0.0.0", "127.0.0.1"])]
own = socket.create_connection(("127.0.0.1", 7001))
own_end, _ = listeners[1].accept()`);
  const networks = (await inspect(container.id))?.NetworkSettings.Networks ?? {};
  const [address] = Object.values(networks).map(({ IPAddress }) => IPAddress);
  const outcome = neighbour(`
import socket
connection = socket.create_connection(("${address}", 7000), 10)
connection.settimeout(30)
try:
    while True:
        connection.sendall(b"x")
        assert connection.recv(1)
except OSError as error:
    print(type(error).__name__)`);
  await client.execute("connection, _ = listeners[0].accept(); connection.sendall(connection.recv(1))");
  await container.setNetwork({ allow: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"] });
  const { text } = await client.execute(`
import time
until = time.monotonic() + 5
try:
    while connection.recv(1) and time.monotonic() < until: connection.sendall(b"y")
except OSError as error:
    print(type(error).__name__)
own.sendall(b"still"); print(own_end.recv(5))`);
  expect(text?.split("\n")).toEqual(["ConnectionAbortedError", "b'still'"]);
  expect(await outcome).toBe("ConnectionResetError");
});

test("a public address is out of reach where it is of a network that the container is in itself", async () => {
  verifies("NET-06");
  const network = await docker.createNetwork({
    Name: "ipybox-test-public",
    Driver: "bridge",
    IPAM: { Driver: "default", Config: [{ Subnet: "44.130.7.0/24", Gateway: "44.130.7.1" }] },
  });
  await using _ = { [Symbol.asyncDispose]: () => network.remove() as Promise<void> };
  const server = createServer((socket) => void socket.end("reached")).listen(0, "44.130.7.1");
  await once(server, "listening");
  const attempt = `
import socket
try:
    print(socket.create_connection(("44.130.7.1", ${(server.address() as AddressInfo).port}), 3).recv(10))
except OSError as error:
    print(type(error).__name__)`;
  try {
    for (const [policy, outcome] of [
      ["internet", "b'reached'"],
      ["public", "ConnectionRefusedError"],
    ] as const) {
      await using container = await ExecutionContainer.create();
      await network.connect({ Container: container.id });
      if (policy !== "internet") await container.setNetwork(policy);
      await using client = await ExecutionClient.connect({ port: container.port });
      expect((await client.execute(attempt)).text).toBe(outcome);
    }
  } finally {
    server.close();
  }
});

test("what a dead owner has left of a helper is removed, and is not listed as a container", async () => {
  verifies("IMG-03", "CONT-12");
  const session = "0".repeat(32);
  const labels = { [SESSION_LABEL]: session, [HELPER_LABEL]: "network", [OWNER_LABEL]: "1@nowhere" };
  const helper = await docker.createContainer({ Image: DEFAULTS.tag, Labels: labels, Entrypoint: ["/bin/true"] });
  expect((await listContainers()).map(({ id }) => id)).not.toContain(helper.id);
  await removeRemains();
  expect(await inspect(helper.id)).toBeUndefined();
});

/** What a program prints in another container on the same network. */
async function neighbour(code: string): Promise<string> {
  const container = await docker.createContainer({
    Image: DEFAULTS.tag,
    Entrypoint: ["/usr/bin/python3", "-c", code],
    Tty: true,
  });
  try {
    await container.start();
    await container.wait();
    return (await container.logs({ stdout: true, follow: false })).toString().trim();
  } finally {
    await container.remove({ force: true });
  }
}
