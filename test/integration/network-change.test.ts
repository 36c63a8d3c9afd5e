import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ContainerDiedError, IpyboxError, type NetworkPolicy } from "ipybox";
import { ADDRESSES, FakeInternet, internetObstacle } from "../fakes/internet.ts";
import { faultyDaemon } from "../fakes/faulty-daemon.ts";
import { verifies } from "../requirements.ts";
import { docker, SOCKET } from "./docker.ts";
import { PRELUDE } from "./network-probes.ts";
import { type Networked, networkHelpersOf, nft, openNetworked, resolversOfContainers } from "./networked.ts";
import { eventually, rejection } from "./sandbox.ts";

/** How often helper and agent are killed; `NETWORK_KILLS=100` for a longer look. */
const KILLS = Number(process.env["NETWORK_KILLS"] ?? 5);

/** How often the policy is changed while packets are sent. Each change had let out a third of a packet. */
const CHANGES = Number(process.env["NETWORK_CHANGES"] ?? 20);

const KILL_AGENT = `for p in /proc/[0-9]*; do
  case "$(tr '\\0' ' ' < $p/cmdline)" in /usr/bin/node*/opt/ipybox/agent*) kill -KILL "\${p#/proc/}";; esac
done`;

const obstacle = internetObstacle();
if (obstacle !== undefined) process.stderr.write(`network-change.test.ts is skipped: ${obstacle}\n`);

const OPEN = `${PRELUDE}
def open_tcp(address, port=5432):
    sock = socket.create_connection((address, port), timeout=5)
    sock.sendall(b"hello")
    assert sock.recv(100) == b"hello"
    return sock

def outcome(sock):
    "Whether an open connection still echoes, or how it has ended; without sending, a cut one must show, too."
    try:
        sock.settimeout(0.2)
        try:
            if sock.recv(100) == b"": return "closed"
        except TimeoutError:
            pass
        sock.settimeout(3)
        sock.sendall(b"again")
        return sock.recv(100).decode() or "closed"
    except OSError as error:
        return type(error).__name__
`;

describe.skipIf(obstacle !== undefined)("a change of the policy", () => {
  let internet: FakeInternet;
  beforeAll(async () => {
    internet = await FakeInternet.start(await resolversOfContainers(), ["files.example.org"]);
    await internet.setZone({ "files.example.org": [[ADDRESSES.public]], "other.example.org": [[ADDRESSES.otherPublic]] });
  });
  afterAll(async () => {
    await internet?.[Symbol.asyncDispose]();
  });

  const run = async (box: Networked, code: string): Promise<readonly string[]> =>
    ((await box.client.execute(code)).text ?? "").split("\n");

  test("cuts the connections that it denies, and leaves the others", async () => {
    verifies("NET-08");
    await using box = await openNetworked(internet, "internet");
    await box.client.execute(`${OPEN}
allowed = [open_tcp("${ADDRESSES.lan}") for _ in range(25)]
denied = [open_tcp("${ADDRESSES.private}") for _ in range(20)] + [open_tcp("${ADDRESSES.private6}") for _ in range(5)]
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.connect(("${ADDRESSES.private}", 99))
datagrams.send(b"x")
`);
    // One cell waits for data of a connection that will be denied, and learns of its end.
    const waiting = box.client.submit(`
denied[0].settimeout(20)
try:
    denied[0].recv(100)
    print("closed")
except OSError as error:
    print(type(error).__name__)
`);
    await eventually(async () => (await box.packets()) > 0);
    await box.container.setNetwork({ allow: [ADDRESSES.lan] });
    expect((await waiting.result()).text).toMatch(/^Connection(Aborted|Reset)Error$/);
    const packets = await box.packets();
    expect(
      await run(
        box,
        `
try: datagrams.send(b"x")
except OSError as error: print(type(error).__name__)
print(sorted({outcome(sock) for sock in denied[1:]}))
try: open_tcp("${ADDRESSES.private}")
except OSError as error: print(type(error).__name__)
`,
      ),
    ).toEqual([
      expect.stringMatching(/Error$/),
      expect.stringMatching(/^\['(Connection(Aborted|Reset)Error|BrokenPipeError)'/),
      "ConnectionRefusedError",
    ]);
    expect(await box.packets()).toBe(packets);
    expect(await run(box, "print({outcome(sock) for sock in allowed})")).toEqual(["{'again'}"]);
  });

  test("cuts what the proxy has open for a name that is not listed any more", async () => {
    verifies("NET-08", "NET-05");
    await using box = await openNetworked(internet, { allow: ["files.example.org", "other.example.org"] });
    await box.client.execute(`${OPEN}
from urllib.parse import urlsplit
proxy = urlsplit(os.environ["HTTP_PROXY"])
def tunnel(name):
    sock = socket.create_connection((proxy.hostname, proxy.port), timeout=5)
    sock.sendall(f"CONNECT {name}:5432 HTTP/1.1\\r\\nHost: {name}:5432\\r\\n\\r\\n".encode())
    assert b" 200 " in sock.recv(1000)
    sock.sendall(b"hello\\n")
    assert sock.recv(100) == b"hello\\n"
    return sock
kept, cut = tunnel("files.example.org"), tunnel("other.example.org")
`);
    await box.container.setNetwork({ allow: ["files.example.org"] });
    expect(await run(box, `print(outcome(kept)); print(outcome(cut))`)).toEqual(["again", expect.stringMatching(/closed|Reset/)]);
    await eventually(() => box.denied.some(({ host }) => host === "other.example.org"));
  });

  test("holds for what comes next, in each direction", async () => {
    verifies("NET-08", "NET-01");
    await using box = await openNetworked(internet, "none");
    const reach = (address: string): Promise<readonly string[]> =>
      run(box, `${OPEN}\ntry: print(open_tcp("${address}") and "reached")\nexcept OSError as error: print(type(error).__name__)`);
    expect(await reach(ADDRESSES.public)).toEqual(["ConnectionRefusedError"]);
    await box.container.setNetwork("public");
    expect(await reach(ADDRESSES.public)).toEqual(["reached"]);
    expect(await reach(ADDRESSES.private)).toEqual(["ConnectionRefusedError"]);
    expect(await run(box, 'print(socket.gethostbyname("files.example.org"))')).toEqual([ADDRESSES.public]);
    await box.container.setNetwork("internet");
    expect(await reach(ADDRESSES.private)).toEqual(["reached"]);
    await box.container.setNetwork({ allow: ["files.example.org"] });
    expect(await reach(ADDRESSES.public)).toEqual(["ConnectionRefusedError"]);
    await using later = await box.connect();
    const { text } = await later.execute(`
import urllib.request
print(urllib.request.urlopen("http://files.example.org/", timeout=5).read().decode())`);
    expect(text).toBe("hello from the internet");
    await Promise.all([box.container.setNetwork("public"), box.container.setNetwork({ allow: [] })]);
    expect(await reach(ADDRESSES.public)).toEqual(["ConnectionRefusedError"]);
    expect(await networkHelpersOf(box.container.id)).toEqual([]);
  });

  test(
    `lets nothing out that both policies deny, and breaks nothing that both allow: ${CHANGES} times`,
    { timeout: 60_000 + CHANGES * 5_000 },
    async () => {
      verifies("NET-08", "NET-06");
      const policies: readonly NetworkPolicy[] = [{ allow: [ADDRESSES.public] }, "public"];
      await using box = await openNetworked(internet, "public");
      await using other = await box.connect();
      const before = internet.reached.length;
      const denied = box.client.submit(
        `${OPEN}
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print("begins")
while not os.path.exists("/tmp/stop"):
    for _ in range(100):
        try: sock.sendto(b"leak", ("${ADDRESSES.private}", 99))
        except OSError: pass`,
        { timeoutMs: null },
      );
      const allowed = other.submit(
        `${OPEN}
stream = open_tcp("${ADDRESSES.public}")
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.connect(("${ADDRESSES.public}", 99))
datagrams.settimeout(3)
print("begins")
while not os.path.exists("/tmp/stop"):
    for sock in (stream, datagrams):
        sock.send(b"again")
        assert sock.recv(100) == b"again"
print("unharmed")`,
        { timeoutMs: null },
      );
      for (const cell of [denied, allowed]) await cell.events()[Symbol.asyncIterator]().next(); // it has printed
      for (let round = 0; round < CHANGES; round += 1) await box.container.setNetwork(policies[round % 2] ?? "public");
      await using third = await box.connect();
      await third.execute('open("/tmp/stop", "w").close()');
      await denied.result();
      expect((await allowed.result()).text).toBe("begins\nunharmed");
      expect(internet.since(before).filter(({ to }) => to !== ADDRESSES.public)).toEqual([]);
    },
  );

  test("from internet, where Linux keeps no connections in mind, leaves those that wait for an answer", async () => {
    verifies("NET-08");
    for (const policy of ["public", { allow: [`${ADDRESSES.public}:5434`] }] satisfies NetworkPolicy[]) {
      await using box = await openNetworked(internet, "internet");
      const cell = box.client.submit(`${PRELUDE}
sock = socket.create_connection(("${ADDRESSES.public}", 5434), timeout=10)
for _ in range(2):
    sock.sendall(b"again")
    print("waits")
    print(sock.recv(100).decode())`);
      await cell.events()[Symbol.asyncIterator]().next(); // it has printed
      await box.container.setNetwork(policy);
      expect((await cell.result()).text).toBe("waits\nagain\nwaits\nagain");
    }
  });

  test("does not wait for a daemon that never tells of the end of what has made it", async () => {
    verifies("NET-08", "CONT-09");
    await using daemon = await faultyDaemon(SOCKET, /^POST \/containers\/.*\/wait/, "stall");
    await using box = await openNetworked(internet, { allow: [] }, { dockerHost: daemon.dockerHost });
    await box.container.setNetwork({ allow: [ADDRESSES.private] });
    expect(await networkHelpersOf(box.container.id)).toEqual([]);
  });

  test("leaves nothing of the policy before in Linux, nor of a change that was broken off", async () => {
    verifies("NET-08");
    await using box = await openNetworked(internet, { allow: ["10.99.0.0/16"] });
    await nft(box.container.id, "add set inet ipybox listed4_broken { type ipv4_addr; }");
    await box.container.setNetwork({ allow: ["10.99.0.0/16:5432"] });
    const lines = await nft(box.container.id, "list", "sets");
    const names = lines.map((line) => /set (\S+) \{/.exec(line)?.[1]).filter((name) => name !== undefined);
    const generation = /^resolvers4_(.*)$/.exec(names.find((name) => name.startsWith("resolvers4")) ?? "")?.[1];
    const expected = ["resolvers4", "resolvers6", "listed4_5432"].map((name) => `${name}_${generation}`);
    expect(names.toSorted()).toEqual(expected.toSorted());
  });

  test("that is bad is refused by name, and changes nothing", async () => {
    verifies("NET-03", "NET-08");
    await using box = await openNetworked(internet, { allow: [] });
    const error = await rejection(box.container.setNetwork({ allow: ["example.org", "exa mple.org"] }), IpyboxError);
    expect(error.code).toBe("invalid_option");
    expect(error.message).toContain('"network.allow.1"');
    expect(error.message).toContain('"exa mple.org"');
  });

  test(`whose agent, and proxy, is killed lets nothing out: ${KILLS} times`, { timeout: 60_000 + KILLS * 10_000 }, async () => {
    verifies("NET-02", "NET-08");
    for (let round = 0; round < KILLS; round += 1) {
      const before = internet.reached.length;
      await using box = await openNetworked(internet, { allow: ["files.example.org"] });
      const cell = box.client.submit(`${PRELUDE}
print("begins")
while True:
    for address in ("${ADDRESSES.private}", "${ADDRESSES.public}"):
        try: udp(address, 99)
        except OSError: pass
        try: tcp(address)
        except OSError: pass
`);
      const events = cell.events()[Symbol.asyncIterator]();
      await events.next(); // it has printed
      const exec = await docker.getContainer(box.container.id).exec({ Cmd: ["sh", "-c", KILL_AGENT], User: "0" });
      await exec.start({});
      await rejection(cell.result(), ContainerDiedError);
      expect(internet.since(before)).toEqual([]);
    }
  });

  test(
    `whose helper is killed ${KILLS} times lets nothing out, and the policy before holds on`,
    { timeout: 60_000 + KILLS * 10_000 },
    async () => {
      verifies("NET-02", "NET-08");
      await using box = await openNetworked(internet, { allow: ["10.99.0.0/16"] });
      const cell = box.client.submit(
        `${PRELUDE}
stop = time.monotonic() + ${30 + KILLS * 5}
while time.monotonic() < stop and not os.path.exists("/tmp/stop"):
    try: udp("${ADDRESSES.private}", 99)
    except OSError: pass
    try: tcp("${ADDRESSES.private}")
    except OSError: pass
`,
        { timeoutMs: null },
      );
      let killed = 0;
      for (let round = 0; round < KILLS; round += 1) {
        const change = box.container.setNetwork({ allow: [`10.${round + 100}.0.0/16`] }).then(
          () => undefined,
          (error: unknown) => error as IpyboxError,
        );
        let found: readonly string[] = [];
        await eventually(async () => (found = await networkHelpersOf(box.container.id)).length > 0);
        await Promise.all(
          found.map((id) =>
            docker
              .getContainer(id)
              .remove({ force: true })
              .catch(() => undefined),
          ),
        );
        const error = await change;
        if (error !== undefined) {
          killed += 1;
          expect(["network_failed", "engine_failed"]).toContain(error.code);
        }
      }
      expect(killed).toBeGreaterThan(0);
      await using other = await box.connect();
      await other.execute('open("/tmp/stop", "w").close()');
      await cell.result();
      expect(await box.packets()).toBe(0);
      expect(await networkHelpersOf(box.container.id)).toEqual([]);
    },
  );
});
