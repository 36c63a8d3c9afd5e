import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ExecutionContainer, NetworkPolicy } from "ipybox";
import { ADDRESSES, FakeInternet, internetObstacle } from "../fakes/internet.ts";
import { verifies } from "../requirements.ts";
import { docker } from "./docker.ts";
import { PRELUDE, PROBES, probeCode } from "./network-probes.ts";
import { type Networked, openNetworked, resolversOfContainers } from "./networked.ts";
import { eventually } from "./sandbox.ts";

const STARTS = Number(process.env["NETWORK_STARTS"] ?? 8);
const obstacle = internetObstacle();
if (obstacle !== undefined) process.stderr.write(`network.test.ts is skipped: ${obstacle}\n`);

describe.skipIf(obstacle !== undefined)("with an internet of its own", () => {
  let internet: FakeInternet;
  beforeAll(async () => {
    internet = await FakeInternet.start(await resolversOfContainers(), ["files.example.org"]);
    await internet.setZone({
      "files.example.org": [[ADDRESSES.public, ADDRESSES.public6]],
      "inside.example.org": [[ADDRESSES.private]],
    });
  });
  afterAll(async () => {
    await internet?.[Symbol.asyncDispose]();
  });

  /** What each probe brings out of a container: its outcome and the packets. */
  async function runProbes(box: Networked): Promise<Map<string, { readonly text: string | null; readonly packets: number }>> {
    const outcomes = new Map<string, { readonly text: string | null; readonly packets: number }>();
    for (const probe of PROBES) {
      const before = await box.packets();
      const { text } = await box.client.execute(probeCode(probe));
      outcomes.set(probe.id, { text, packets: (await box.packets()) - before });
    }
    return outcomes;
  }

  const idsOf = (outcomes: Map<string, { readonly packets: number }>, out: boolean): readonly string[] =>
    [...outcomes].filter(([, { packets }]) => packets > 0 === out).map(([id]) => id);

  test("the policy internet lets out all that Linux does: what the other tests count is there to be counted", async () => {
    verifies("NET-01");
    await using box = await openNetworked(internet, "internet");
    const outcomes = await runProbes(box);
    const expected = PROBES.filter(({ neverOut }) => neverOut !== true).map(({ id }) => id);
    expect(expected.filter((id) => outcomes.get(id)?.packets === 0)).toEqual([]);
    expect(box.denied).toEqual([]);
    const { text } = await box.client.execute(
      `${PRELUDE}\nprint(socket.getaddrinfo("files.example.org", 80, socket.AF_INET)[0][4][0])`,
    );
    expect(text).toBe(ADDRESSES.public);
  });

  test.each<[string, NetworkPolicy]>([
    ["none", "none"],
    ["an empty list", { allow: [] }],
    ["a list of something else", { allow: ["files.example.org", "10.99.0.0/16", "10.77.0.10:9", "[fd78::]/16"] }],
  ])("the policy %s lets nothing out, and what is tried fails at once", async (_, policy) => {
    verifies("NET-01", "NET-02", "NET-03", "NET-06", "NET-07", "SEC-05");
    await using box = await openNetworked(internet, policy);
    const before = internet.reached.length;
    const outcomes = await runProbes(box);
    expect(idsOf(outcomes, true)).toEqual([]);
    expect(internet.since(before)).toEqual([]);
    expect(hanging(outcomes)).toEqual([]);
    expect(outcomes.get(`tcp to ${ADDRESSES.private}`)?.text).toContain("ConnectionRefusedError");
    expect(outcomes.get(`tcp to ${ADDRESSES.private6}`)?.text).toContain("ConnectionRefusedError");
    expect(outcomes.get("udp")?.text).toContain("PermissionError");
  });

  test("the policy public lets out what goes to the public internet, and nothing else", async () => {
    verifies("NET-01", "NET-02", "NET-06", "NET-07");
    await using box = await openNetworked(internet, "public");
    const outcomes = await runProbes(box);
    expect(idsOf(outcomes, true)).toEqual(PROBES.filter(({ isPublic }) => isPublic === true).map(({ id }) => id));
    expect(hanging(outcomes)).toEqual([]);
  });

  test("the policy public has names resolved, by way of the agent alone", async () => {
    verifies("NET-01", "NET-06");
    await using box = await openNetworked(internet, "public");
    const { text } = await box.client.execute(`${PRELUDE}
import urllib.request
print(urllib.request.urlopen("http://files.example.org/", timeout=5).read().decode())
for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.settimeout(5)
        sock.connect((resolvers()[0], 53))
        asked = question("inside.example.org")
        sock.sendall(asked if kind == socket.SOCK_DGRAM else struct.pack("!H", len(asked)) + asked)
        print(socket.inet_ntoa(sock.recv(1000)[-4:]))
try:
    urllib.request.urlopen("http://inside.example.org/", timeout=5)
except OSError as error:
    print(error.reason)
`);
    expect(text?.split("\n")).toEqual([
      "hello from the internet",
      ADDRESSES.private,
      ADDRESSES.private,
      "[Errno 111] Connection refused",
    ]);
  });

  test("no question about a name gets out, whoever is asked", async () => {
    verifies("NET-02", "NET-07");
    await using box = await openNetworked(internet, { allow: ["files.example.org"] });
    const [before, packets] = [internet.reached.length, await box.packets()];
    const { text } = await box.client.execute(`${PRELUDE}
denied = 0
for i in range(1000):
    try:
        udp(resolvers()[0], 53, question(f"{i:x}.leak.example"))
    except PermissionError:
        denied += 1
try:
    tcp(resolvers()[0], 53)
except ConnectionRefusedError:
    denied += 1
print(denied)
`);
    expect(text).toBe("1001");
    const told = (): number =>
      box.denied.filter(({ protocol }) => protocol === "dns" || protocol === "other").reduce((sum, one) => sum + one.count, 0);
    await eventually(() => told() >= 1_000);
    const failed = await box.client.execute(`
for name in ("secret.leak.example", "files.example.org"):
    try: socket.getaddrinfo(name, 80)
    except socket.gaierror as error: print(error)
`);
    expect(failed.text?.split("\n")).toEqual(Array.from({ length: 2 }, () => "[Errno -3] Temporary failure in name resolution"));
    expect(internet.since(before)).toEqual([]);
    expect(await box.packets()).toBe(packets);
    await eventually(() => box.denied.some(({ host }) => host === "secret.leak.example"));
    const { count, ...event } = box.denied.find(({ host }) => host === "secret.leak.example") ?? { count: 0 };
    expect(event).toMatchObject({ port: 53, protocol: "dns", rule: "dns" });
    expect(count).toBeGreaterThan(0);
  });

  test("addresses, ranges and ports that are listed are reached directly", async () => {
    verifies("NET-02", "NET-05", "NET-06");
    const allow = [
      `${ADDRESSES.private}/32:5432`,
      "192.168.177.0/24",
      `[${ADDRESSES.private6}]:5433`,
      "fd00:ec2::/32",
      ADDRESSES.metadata,
    ];
    await using box = await openNetworked(internet, { allow });
    const { text } = await box.client.execute(`${PRELUDE}
def attempt(name, run):
    try:
        run()
        print(name, "reached")
    except OSError as error:
        print(name, type(error).__name__)

attempt("port", lambda: tcp("${ADDRESSES.private}", 5432))
attempt("port over udp", lambda: udp("${ADDRESSES.private}", 5432))
attempt("other port", lambda: tcp("${ADDRESSES.private}", 5433))
attempt("ping of a port", lambda: ping("${ADDRESSES.private}"))
attempt("range", lambda: tcp("${ADDRESSES.lan}", 80))
attempt("range over udp", lambda: udp("${ADDRESSES.lan}", 99))
attempt("ping of a range", lambda: ping("${ADDRESSES.lan}"))
attempt("port over IPv6", lambda: tcp("${ADDRESSES.private6}", 5433))
attempt("other port over IPv6", lambda: tcp("${ADDRESSES.private6}", 5432))
attempt("range over IPv6", lambda: tcp("${ADDRESSES.metadata6}", 80))
attempt("metadata", lambda: tcp("${ADDRESSES.metadata}", 80))
attempt("other metadata", lambda: tcp("${ADDRESSES.tasks}", 80))
attempt("unlisted", lambda: tcp("${ADDRESSES.public}", 80))
`);
    expect(text?.split("\n")).toEqual([
      "port reached",
      "port over udp reached",
      "other port ConnectionRefusedError",
      "ping of a port PermissionError",
      "range reached",
      "range over udp reached",
      "ping of a range PermissionError",
      "port over IPv6 reached",
      "other port over IPv6 ConnectionRefusedError",
      "range over IPv6 reached",
      "metadata reached",
      "other metadata ConnectionRefusedError",
      "unlisted ConnectionRefusedError",
    ]);
  });

  test("what is denied is told, with host, port, rule and reason", async () => {
    verifies("NET-07");
    await using box = await openNetworked(internet, "public");
    await box.client.execute(`${PRELUDE}
for run in (lambda: tcp("${ADDRESSES.metadata}", 80), lambda: tcp("${ADDRESSES.private6}", 8443)):
    try: run()
    except OSError: pass
for i in range(500):
    try: udp("${ADDRESSES.private}", 99)
    except OSError: pass
`);
    const udpCount = (): number =>
      box.denied.filter(({ protocol }) => protocol === "udp").reduce((sum, { count }) => sum + count, 0);
    await eventually(() => udpCount() >= 500);
    expect(udpCount()).toBe(500);
    expect(box.denied.filter(({ protocol }) => protocol !== "udp")).toEqual([
      {
        host: ADDRESSES.metadata,
        port: 80,
        protocol: "tcp",
        rule: "169.254.0.0/16",
        reason: "169.254.169.254 is in 169.254.0.0/16 (link-local; also clouds' metadata)",
        count: 1,
      },
      {
        host: ADDRESSES.private6,
        port: 8443,
        protocol: "tcp",
        rule: "fc00::/7",
        reason: "fd77::10 is in fc00::/7 (private use; also clouds' metadata)",
        count: 1,
      },
    ]);
  });

  test("what the first cell is denied is told at once, also when it takes all processes before", async () => {
    verifies("NET-07", "LIFE-04");
    for (const hog of [
      "",
      "import threading, time\ntry:\n    while True: threading.Thread(target=time.sleep, args=(60,)).start()\nexcept RuntimeError: pass",
    ]) {
      await using box = await openNetworked(internet, "none", {
        pidsLimit: 64,
        firstCell: `${PRELUDE}\n${hog}\ntry: tcp("${ADDRESSES.private}", 80)\nexcept OSError: pass`,
      });
      await eventually(() => box.denied.some(({ host }) => host === ADDRESSES.private), 2_000);
    }
  });

  test("a listener that throws is an uncaught exception, and the container stays", async () => {
    verifies("NET-07");
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    const uncaught = new Promise((resolve) => process.once("uncaughtException", resolve));
    const onDenied = (): never => {
      throw new Error("the listener's own");
    };
    try {
      await using box = await openNetworked(internet, "none", { onDenied });
      await box.client.execute(`${PRELUDE}\ntry: tcp("${ADDRESSES.private}", 80)\nexcept OSError: pass`);
      expect(await uncaught).toMatchObject({ message: "the listener's own" });
      expect((await box.client.execute("1")).text).toBe("1");
    } finally {
      for (const listener of others) process.on("uncaughtException", listener);
    }
  });

  test("nothing gets out by way of another cell, or in the name of the agent", async () => {
    verifies("NET-02", "SEC-06");
    await using box = await openNetworked(internet, { allow: ["files.example.org:80"] });
    await using other = await box.connect();
    await other.execute(`
import socket, threading
listener = socket.create_server(("0.0.0.0", 7001))
def relay():
    client, _ = listener.accept()
    try:
        socket.create_connection(("${ADDRESSES.private}", 80), 3)
        client.sendall(b"reached")
    except OSError as error:
        client.sendall(type(error).__name__.encode())
    client.close()
threading.Thread(target=relay).start()
`);
    const packets = await box.packets();
    const relayed = await box.client.execute(`
import socket
with socket.create_connection(("127.0.0.1", 7001)) as sock: print(sock.recv(100).decode())
`);
    expect(relayed.text).toBe("ConnectionRefusedError");
    expect(await box.packets()).toBe(packets);
    // The agent has just asked a resolver: a cell that has that port now is not taken for it.
    const asked = await box.client.execute(`${PRELUDE}
import urllib.request
print(urllib.request.urlopen("http://files.example.org/", timeout=5).read().decode())
sent = 0
for port in range(1024, 65536):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("", port))
            sock.sendto(question("leak.example"), (resolvers()[0], 53))
            sent += 1
        except OSError:
            pass
print(sent)
`);
    expect(asked.text?.split("\n")).toEqual(["hello from the internet", "0"]);
    expect(internet.reached.filter(({ to }) => to === "leak.example")).toEqual([]);
  });

  test("Docker's own resolver is no way out, on none of its ports", async () => {
    verifies("NET-02", "NET-06");
    const name = `ipybox-test-${process.pid}`;
    const network = await docker.createNetwork({ Name: name });
    try {
      const ask = async (policy: NetworkPolicy): Promise<{ readonly text: string | null; readonly leaked: number }> => {
        const prepare = ({ id }: ExecutionContainer): Promise<unknown> => network.connect({ Container: id });
        await using box = await openNetworked(internet, policy, { prepare });
        const from = internet.reached.length;
        const { text } = await box.client.execute(`${PRELUDE}
ports = {("udp", 53), ("tcp", 53)}
for protocol in ("udp", "tcp"):
    with open(f"/proc/net/{protocol}") as file:
        ports |= {(protocol, int(line.split()[1].split(":")[1], 16)) for line in list(file)[1:] if line.split()[1].startswith("0B00007F")}
answered = 0
asked = question("leak.example")
for protocol, port in sorted(ports):
    try:
        udp("127.0.0.11", port, asked) if protocol == "udp" else tcp("127.0.0.11", port, struct.pack("!H", len(asked)) + asked)
        answered += 1
    except OSError:
        pass
print(len(ports), answered)`);
        return { text, leaked: internet.since(from, "dns").filter(({ to }) => to === "leak.example").length };
      };
      const open = await ask("internet");
      expect(open.text).toMatch(/^4 [1-4]$/);
      expect(open.leaked).toBeGreaterThan(0);
      for (const policy of ["none", { allow: ["files.example.org"] }] as const) {
        expect(await ask(policy)).toEqual({ text: "4 0", leaked: 0 });
      }
      // Here the agent passes questions on, from its own port.
      expect((await ask("public")).text).toBe("4 2");
    } finally {
      await network.remove();
    }
  });

  test(`no packet gets out at any of ${STARTS} starts`, { timeout: STARTS * 20_000 }, async () => {
    verifies("NET-02");
    for (let start = 0; start < STARTS; start += 1) {
      await using box = await openNetworked(internet, start % 2 === 0 ? "none" : { allow: ["files.example.org"] }, {
        firstCell: probeAtOnce,
      });
      expect(await box.packets()).toBe(0);
    }
  });
});

/** What waited in vain instead of failing. Linux does not tell of an echo request that was dropped. */
function hanging(outcomes: Map<string, { readonly text: string | null }>): readonly string[] {
  return [...outcomes].filter(([id, { text }]) => !id.startsWith("ping") && text?.includes("timed out")).map(([id]) => id);
}

const probeAtOnce = `
import socket
for _ in range(50):
    for address in ("${ADDRESSES.private}", "${ADDRESSES.public}"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            try: sock.sendto(b"leak", (address, 99))
            except OSError: pass
        with socket.socket() as sock:
            sock.setblocking(False)
            try: sock.connect((address, 80))
            except OSError: pass
`;
