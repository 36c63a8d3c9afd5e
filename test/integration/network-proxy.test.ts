import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ADDRESSES, FakeInternet, internetObstacle } from "../fakes/internet.ts";
import { verifies } from "../requirements.ts";
import { type Networked, openNetworked, resolversOfContainers } from "./networked.ts";
import { eventually } from "./sandbox.ts";

const obstacle = internetObstacle();
if (obstacle !== undefined) process.stderr.write(`network-proxy.test.ts is skipped: ${obstacle}\n`);

const NAMES = ["files.example.org", "a.sub.example.org", "other.example.org"];
const ALLOW = [
  "files.example.org",
  "*.sub.example.org:80",
  "*.sub.example.org:443",
  "xn--bcher-kva.example",
  "rebound.example.org",
  "flip.example.org",
  "listed.example.org",
  `${ADDRESSES.lan}:80`,
];

const PRELUDE = `
import os, re, socket, ssl, struct, urllib.error, urllib.request
from urllib.parse import urlsplit

PROXY = urlsplit(os.environ["HTTP_PROXY"])

def say(text, then=None):
    "What the proxy answers to these bytes, up to its end or a pause."
    with socket.create_connection((PROXY.hostname, PROXY.port), timeout=5) as sock:
        sock.sendall(text.encode("latin1") if isinstance(text, str) else text)
        answer = receive(sock)
        if then is not None:
            sock.sendall(then.encode("latin1") if isinstance(then, str) else then)
            answer += receive(sock)
        return answer.decode("latin1")

def receive(sock):
    data = b""
    sock.settimeout(1.5)
    try:
        while part := sock.recv(65536):
            data += part
    except OSError:
        pass
    return data

def status(text):
    return " ".join(text.split("\\r\\n")[0].split(" ")[1:2])

def codes(text):
    return re.findall(r"HTTP/1\\.1 (\\d+)", text)

def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=8) as response:
            return response.read().decode()
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.reason}"
    except urllib.error.URLError as error:
        return str(error.reason)
`;

describe.skipIf(obstacle !== undefined)("with a list of names, by way of the proxy,", () => {
  let internet: FakeInternet;
  let box: Networked;
  let from = 0;

  beforeAll(async () => {
    internet = await FakeInternet.start(await resolversOfContainers(), NAMES);
    const everywhere = [
      ...NAMES,
      "example.org",
      "sub.example.org",
      "evil-sub.example.org",
      "files.example.org.evil.example",
      "xn--bcher-kva.example",
    ];
    await internet.setZone({
      ...Object.fromEntries(everywhere.map((name) => [name, [[ADDRESSES.public]]])),
      "rebound.example.org": [[ADDRESSES.metadata, ADDRESSES.private, ADDRESSES.metadata6, "::1", "127.0.0.1"]],
      "flip.example.org": [[ADDRESSES.public], [ADDRESSES.private]],
      "listed.example.org": [[ADDRESSES.lan]],
    });
    box = await openNetworked(internet, { allow: ALLOW }, { caCertificates: [internet.authority.path] });
    await box.client.execute(PRELUDE);
  });
  beforeEach(() => {
    from = internet.reached.length;
    box.denied.length = 0;
  });
  afterAll(async () => {
    await box?.[Symbol.asyncDispose]();
    await internet?.[Symbol.asyncDispose]();
  });

  const run = async (code: string): Promise<readonly string[]> => ((await box.client.execute(code)).text ?? "").split("\n");
  const received = (): readonly string[] =>
    internet
      .since(from)
      .filter(({ kind }) => kind !== "dns")
      .map(({ kind, to, port }) => `${kind} ${to}:${port}`);

  test("urllib, requests as pip has it, and curl reach what is listed without set-up", async () => {
    verifies("NET-04", "NET-05");
    expect(
      await run(`
print(fetch("http://files.example.org/"))
print(fetch("https://files.example.org/"))
print(fetch("http://a.sub.example.org/"))
from pip._vendor import requests
print(requests.get("https://files.example.org/", timeout=8).text)
!curl -sS https://files.example.org/
`),
    ).toEqual(Array.from({ length: 5 }, () => "hello from the internet"));
    expect(received()).toHaveLength(5);
    expect(box.denied).toEqual([]);
  });

  test("%pip installs from an index that is listed", async () => {
    verifies("NET-04", "EXEC-09");
    const { text } = await box.client.execute(`
%pip install --index-url https://files.example.org/simple ipybox_probe
import ipybox_probe
print("imported")
`);
    expect(text).toContain("Successfully installed");
    expect(text).toMatch(/imported$/);
  });

  test("SOCKS has names resolved by the proxy", async () => {
    verifies("NET-04");
    expect(
      await run(`
!curl -sS -w '\\n' --noproxy '' -x socks5h://127.0.0.1:{PROXY.port} http://files.example.org/
!curl -sS --noproxy '' -x socks5h://127.0.0.1:{PROXY.port} http://other.example.org/ 2>/dev/null || echo refused
print(repr(say(b"\\5\\1\\0" + b"\\5\\1\\0\\3\\x11files.example.org" + struct.pack("!H", 22), b"hello")))
`),
    ).toEqual(["hello from the internet", "refused", expect.stringMatching(/SSH-2\.0-fake\\r\\nhello'$/)]);
  });

  test.each([
    ["another name", "http://other.example.org/"],
    ["the name above", "http://example.org/"],
    ["the name that *. stands below", "http://sub.example.org/"],
    ["a name that only ends alike", "http://evil-sub.example.org/"],
    ["a name that only begins alike", "http://files.example.org.evil.example/"],
    ["another port of a listed name", "http://a.sub.example.org:8080/"],
    ["an address", `http://${ADDRESSES.public}/`],
    ["another port of a listed address", `http://${ADDRESSES.lan}:8080/`],
    ["a metadata service", `http://${ADDRESSES.metadata}/latest/meta-data/`],
    ["TLS to another name", "https://other.example.org/"],
    ["the sandbox itself", "http://127.0.0.1:8888/health"],
    ["the sandbox itself by name", "http://localhost:8888/health"],
  ])("%s is refused with the reason", async (_, url) => {
    verifies("NET-05", "NET-06", "NET-07");
    // curl, because it can be told to use the proxy for loopback, too.
    const [status] = await run(`!curl -sS -o /dev/null -w "%{http_code} %{http_connect}" --noproxy '' ${url} 2>/dev/null`);
    expect(status).toMatch(/^(403 000|000 403)$/);
    expect(received()).toEqual([]);
    await eventually(() => box.denied.length === 1);
    expect(box.denied[0]).toMatchObject({ host: new URL(url).hostname, protocol: "proxy", count: 1 });
    expect(box.denied[0]?.reason).not.toBe("");
  });

  test.each([
    ["case", "http://FILES.Example.ORG/"],
    ["a last dot", "http://files.example.org./"],
    ["punycode", "http://xn--bcher-kva.example/"],
    ["a listed address", `http://${ADDRESSES.lan}/`],
  ])("a listed host is reached whatever its %s", async (_, url) => {
    verifies("NET-05");
    expect(await run(`!curl -sS ${url}`)).toEqual(["hello from the internet"]);
  });

  test("a name that resolves to addresses that are not public is refused, unless they are listed", async () => {
    verifies("NET-06");
    expect(
      await run(
        `print(fetch("http://rebound.example.org/")); print(fetch("http://listed.example.org/")); print(fetch("http://listed.example.org:8080/"))`,
      ),
    ).toEqual([
      expect.stringMatching(/^403 ipybox: rebound\.example\.org resolves to an address that can't be reached: /),
      "hello from the internet",
      expect.stringMatching(/^403 /),
    ]);
    expect(received()).toEqual([`http ${ADDRESSES.lan}:80`]);
  });

  test("a name is resolved once, and what was judged is dialled", async () => {
    verifies("NET-06");
    const outcomes = await run(`for _ in range(40): print(fetch("http://flip.example.org/")[:3])`);
    expect(new Set(outcomes)).toEqual(new Set(["hel", "403"]));
    expect(new Set(received())).toEqual(new Set([`http ${ADDRESSES.public}:80`]));
  });

  test("redirects are judged again", async () => {
    verifies("NET-05");
    const to = (url: string): string => `http://files.example.org/redirect?${encodeURIComponent(url)}`;
    expect(
      await run(`
print(fetch("${to("http://a.sub.example.org/")}"))
print(fetch("${to("http://other.example.org/")}"))
print(fetch("${to(`http://${ADDRESSES.metadata}/`)}"))
`),
    ).toEqual([
      "hello from the internet",
      "403 ipybox: other.example.org:80 is not on the allow-list",
      expect.stringMatching(/^403 /),
    ]);
  });

  const tunnelled = "CONNECT files.example.org:80 HTTP/1.1\\r\\nHost: files.example.org:80\\r\\n\\r\\n";
  const head = (host: string): string => `Host: ${host}\\r\\n`;
  test.each([
    ["origin form", `GET / HTTP/1.1\\r\\n${head("files.example.org")}\\r\\n`, "400"],
    [
      "two Host headers",
      `GET http://files.example.org/ HTTP/1.1\\r\\n${head("files.example.org")}${head("other.example.org")}\\r\\n`,
      "400",
    ],
    ["another Host than in the URL", `GET http://files.example.org/ HTTP/1.1\\r\\n${head("other.example.org")}\\r\\n`, "403"],
    [
      "another port than in the URL",
      `GET http://files.example.org/ HTTP/1.1\\r\\n${head("files.example.org:8080")}\\r\\n`,
      "403",
    ],
    ["no Host header", "GET http://files.example.org/ HTTP/1.1\\r\\n\\r\\n", "400"],
    [
      "credentials before the host",
      `GET http://files.example.org@other.example.org/ HTTP/1.1\\r\\n${head("files.example.org")}\\r\\n`,
      "400",
    ],
    ["NUL in a name", `GET http://files.example.org\\0.evil.example/ HTTP/1.1\\r\\n${head("files.example.org")}\\r\\n`, "400"],
    [
      "an encoded NUL in a name",
      `GET http://files.example.org%00.evil.example/ HTTP/1.1\\r\\n${head("files.example.org")}\\r\\n`,
      "400",
    ],
    ["a decimal address", `GET http://2852039166/ HTTP/1.1\\r\\n${head("2852039166")}\\r\\n`, "400"],
    ["a hexadecimal address", `GET http://0xa9.0xfe.0xa9.0xfe/ HTTP/1.1\\r\\n${head("0xa9.0xfe.0xa9.0xfe")}\\r\\n`, "400"],
    ["an octal address", `GET http://0251.0376.0251.0376/ HTTP/1.1\\r\\n${head("x")}\\r\\n`, "400"],
    ["a mapped address", `GET http://[::ffff:169.254.169.254]/ HTTP/1.1\\r\\n${head("[::ffff:169.254.169.254]")}\\r\\n`, "403"],
    [
      "a backslash",
      `GET http://files.example.org\\\\@other.example.org/ HTTP/1.1\\r\\n${head("files.example.org")}\\r\\n`,
      "400",
    ],
    [
      "two lengths",
      `POST http://files.example.org/ HTTP/1.1\\r\\n${head("files.example.org")}Content-Length: 4\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n`,
      "400",
    ],
    [
      "a length twice",
      `POST http://files.example.org/ HTTP/1.1\\r\\n${head("files.example.org")}Content-Length: 0\\r\\nContent-Length: 4\\r\\n\\r\\nGET `,
      "400",
    ],
    [
      "an encoding that only looks like chunked",
      `POST http://files.example.org/ HTTP/1.1\\r\\n${head("files.example.org")}Transfer-Encoding: xchunked\\r\\n\\r\\n0\\r\\n\\r\\n`,
      "400",
    ],
    [
      "an upgrade to HTTP/2",
      `GET http://files.example.org/ HTTP/1.1\\r\\n${head("files.example.org")}Connection: Upgrade, HTTP2-Settings\\r\\nUpgrade: h2c\\r\\nHTTP2-Settings: AAA\\r\\n\\r\\n`,
      "400",
    ],
    ["a CONNECT with another Host", `CONNECT files.example.org:443 HTTP/1.1\\r\\n${head("other.example.org:443")}\\r\\n`, "403"],
    ["a CONNECT without a port", "CONNECT files.example.org HTTP/1.1\\r\\nHost: files.example.org\\r\\n\\r\\n", "400"],
    ["nonsense", "\\1\\2\\3\\r\\n\\r\\n", "400"],
  ])("%s is refused", async (_, request, status) => {
    verifies("NET-05");
    expect(await run(`print(status(say("${request}")))`)).toEqual([status]);
    expect(received()).toEqual([]);
  });

  test("SOCKS refuses odd names and addresses", async () => {
    verifies("NET-05", "NET-06");
    const outcomes = await run(`
def socks(kind, host, port=80):
    answer = say(b"\\5\\1\\0\\5\\1\\0" + kind + host + struct.pack("!H", port)).encode("latin1")
    return answer[:2] == b"\\5\\0" and answer[3]
name = lambda text: (b"\\3", bytes([len(text)]) + text)
print(socks(*name(b"files.example.org")))
for text in (b"files.example.org\\0.evil.example", b"other.example.org", b"2852039166", b"0xa9fea9fe", b"files.example.org@x", b"::ffff:169.254.169.254", b"", b"\\xff" * 20):
    print(socks(*name(text)))
print(socks(b"\\1", socket.inet_aton("${ADDRESSES.metadata}")))
print(socks(b"\\4", socket.inet_pton(socket.AF_INET6, "::ffff:${ADDRESSES.metadata}")))
print(socks(b"\\1", socket.inet_aton("127.0.0.1"), 8888))
`);
    expect(outcomes).toEqual(["0", "8", "2", "8", "8", "8", "2", "8", "8", "2", "2", "2"]);
    expect(received()).toEqual([]);
  });

  test("each request of a connection is judged", async () => {
    verifies("NET-05");
    const get = (host: string): string => `GET http://${host}/ HTTP/1.1\\r\\nHost: ${host}\\r\\n\\r\\n`;
    const [together, oneByOne] = await run(`
one, other = "${get("files.example.org")}", "${get("other.example.org")}"
print(codes(say(one + other + one)))
print(codes(say(one, other)))
`);
    expect(together).toBe("['200', '403']");
    expect(oneByOne).toBe("['200', '403']");
    expect(new Set(received())).toEqual(new Set([`http ${ADDRESSES.public}:80`]));
    expect(internet.since(from, "dns").filter(({ to }) => to === "other.example.org")).toEqual([]);
  });

  test("what is smuggled into a body is no request", async () => {
    verifies("NET-05");
    const smuggled = `GET / HTTP/1.1\\r\\nHost: other.example.org\\r\\n\\r\\n`;
    await run(`
body = "${smuggled}"
print(status(say(f"POST http://files.example.org/ HTTP/1.1\\r\\nHost: files.example.org\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n{body}")))
`);
    const texts = internet.since(from, "http").map(({ text }) => JSON.parse(text) as { method: string; body: string });
    expect(texts).toEqual([expect.objectContaining({ method: "POST", body: expect.stringContaining("GET / HTTP/1.1") })]);
  });

  test("headers of the way to the proxy do not go on", async () => {
    verifies("NET-05");
    await run(`
say("GET http://files.example.org/ HTTP/1.1\\r\\nHost: files.example.org\\r\\nProxy-Authorization: Basic x\\r\\nConnection: x-drop\\r\\nX-Drop: 1\\r\\nX-Keep: 2\\r\\n\\r\\n")
`);
    const [request] = internet.since(from, "http").map(({ text }) => JSON.parse(text) as { rawHeaders: string[] });
    expect(request?.rawHeaders).toEqual(["Host", "files.example.org", "X-Keep", "2", "Connection", "close"]);
  });

  test("HTTP in a tunnel is judged request by request", async () => {
    verifies("NET-05");
    const get = (host: string): string => `GET / HTTP/1.1\\r\\nHost: ${host}\\r\\n\\r\\n`;
    expect(
      await run(`
print(codes(say("${tunnelled}", "${get("files.example.org")}" * 3)))
print(codes(say("${tunnelled}", "${get("other.example.org")}")))
print(codes(say("${tunnelled}", "${get("files.example.org")}${get("other.example.org")}")))
print(codes(say("${tunnelled}", "\\r\\n${get("other.example.org")}")))
print(codes(say("${tunnelled}", "${tunnelled}")))
`),
    ).toEqual(["['200', '200', '200', '200']", "['200', '403']", "['200', '200', '403']", "['200', '403']", "['200', '400']"]);
    expect(received()).toEqual(Array.from({ length: 4 }, () => `http ${ADDRESSES.public}:80`));
    await eventually(() => box.denied.filter(({ rule }) => rule === "host").length === 3);
  });

  test("TLS for another name than the tunnel's is refused, however its first message is cut", async () => {
    verifies("NET-05", "NET-07");
    const outcomes = await run(`
def hello(name):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=name)
    try: connection.do_handshake()
    except ssl.SSLWantReadError: pass
    return outgoing.read()

def attempt(name, pieces=1):
    with socket.create_connection((PROXY.hostname, PROXY.port), timeout=5) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(b"CONNECT files.example.org:443 HTTP/1.1\\r\\nHost: files.example.org:443\\r\\n\\r\\n")
        assert b" 200 " in sock.recv(1000)
        data = hello(name)
        if pieces > 1:  # several records
            data = b"".join(data[:3] + struct.pack("!H", len(part)) + part for part in (data[5:][at:at + 50] for at in range(0, len(data) - 5, 50)))
        try:
            for at in range(0, len(data), 40):
                sock.sendall(data[at:at + 40])
        except OSError: pass
        return "answered" if receive(sock) else "closed"

print(attempt("files.example.org"), attempt("files.example.org", 2), attempt("other.example.org"), attempt("other.example.org", 2))
`);
    expect(outcomes).toEqual(["answered answered closed closed"]);
    await eventually(() => box.denied.length === 2);
    expect(box.denied[0]).toMatchObject({ host: "files.example.org", port: 443, rule: "server-name" });
    expect(box.denied[0]?.reason).toContain("other.example.org");
  });

  test("a WebSocket and what speaks first pass", async () => {
    verifies("NET-04");
    const upgrade =
      "GET /chat HTTP/1.1\\r\\nHost: files.example.org\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n";
    expect(
      await run(`
answer = say("${tunnelled}", "${upgrade}")
print("101" in answer)
with socket.create_connection((PROXY.hostname, PROXY.port), timeout=5) as sock:
    sock.sendall(b"CONNECT files.example.org:22 HTTP/1.1\\r\\nHost: files.example.org:22\\r\\n\\r\\n")
    print(receive(sock).split(b"\\r\\n\\r\\n")[1])
`),
    ).toEqual(["True", "b'SSH-2.0-fake\\r\\n'"]);
  });

  test("many connections are served, and none is left", async () => {
    verifies("NET-04");
    const [count] = await run(`
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(16) as pool:
    print(sum(text == "hello from the internet" for text in pool.map(fetch, ["http://files.example.org/"] * 200)))
`);
    expect(count).toBe("200");
  });
});
