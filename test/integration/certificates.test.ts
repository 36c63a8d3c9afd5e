import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ExecutionClient, ExecutionContainer } from "ipybox";
import { type Authority, makeAuthority } from "../fakes/authority.ts";
import { type Site, startSite } from "../fakes/package-site.ts";
import { type Proxy, startProxy } from "../fakes/proxy.ts";
import { verifies } from "../requirements.ts";
import { bridgeAddress, inspect } from "./docker.ts";

let directory: string;
let authority: Authority;
let site: Site;
let proxy: Proxy;
let trusting: ExecutionContainer;
let strange: ExecutionContainer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ipybox-certificates-"));
  authority = await makeAuthority(directory);
  const host = await bridgeAddress();
  site = await startSite({ host, certificate: await authority.issue("site", `IP:${host},DNS:packages.test`) });
  const { port } = new URL(site.url);
  proxy = await startProxy(host, { "packages.test": { host, port: Number(port) } });
  // What a company's machine has: a proxy that answers with certificates of its own.
  vi.stubEnv("HTTPS_PROXY", proxy.url);
  vi.stubEnv("NO_PROXY", host);
  [trusting, strange] = await Promise.all([
    ExecutionContainer.create({ caCertificates: [authority.path] }),
    ExecutionContainer.create(),
  ]);
  for (const container of [trusting, strange]) await run(container, "!pip install -q requests");
}, 120_000);
afterAll(async () => {
  await Promise.all([trusting.kill(), strange.kill()]);
  await Promise.all([site[Symbol.asyncDispose](), proxy[Symbol.asyncDispose]()]);
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true, force: true });
});

async function run(container: ExecutionContainer, code: string): Promise<string | null> {
  await using client = await ExecutionClient.connect({ port: container.port, token: container.token });
  return (await client.execute(code.replaceAll("DIRECT", site.url).replaceAll("SITE", "https://packages.test"))).text;
}

/** Each program that goes out into the web: what it says when it trusts the site, and when it doesn't. */
const PROGRAMS: readonly (readonly [string, string, RegExp, RegExp])[] = [
  [
    "Python",
    "import urllib.request\ntry: print(urllib.request.urlopen('SITE/').read())\nexcept Exception as error: print(error)",
    /^b'hello'$/,
    /CERTIFICATE_VERIFY_FAILED/,
  ],
  [
    "requests",
    "import requests\ntry: print(requests.get('SITE/').text)\nexcept Exception as error: print(error)",
    /^hello$/,
    /CERTIFICATE_VERIFY_FAILED/,
  ],
  [
    "pip",
    "!pip download --retries 0 --no-deps -d /tmp/probe --index-url SITE/simple ipybox-probe==1.0 > /tmp/log 2>&1 && ls /tmp/probe || cat /tmp/log",
    /^ipybox_probe-1\.0-py3-none-any\.whl$/,
    /CERTIFICATE_VERIFY_FAILED|SSLError|certificate verify failed/,
  ],
  ["curl", "!curl -sS SITE/", /^hello$/, /certificate/i],
  [
    "Node",
    "!node -e \"fetch('DIRECT/').then((answer) => answer.text()).then(console.log, (error) => console.log(error.cause.code))\"",
    /^hello$/,
    /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)/,
  ],
];

describe("a site whose authority only caCertificates name", () => {
  it.each(PROGRAMS)("is trusted by %s in that container, and not in another", async (_, code, trusted, refused) => {
    verifies("CONT-13");
    expect(await run(trusting, code)).toMatch(trusted);
    expect(await run(strange, code)).toMatch(refused);
  });

  it("is reached through the proxy that the host is set to use", async () => {
    verifies("IMG-07", "CONT-13");
    expect(await run(trusting, "import requests; print(requests.get('SITE/').text)")).toBe("hello");
    expect(proxy.requests).toContain("CONNECT packages.test:443");
  });

  it("is trusted besides the authorities that are trusted anyway", async () => {
    verifies("CONT-13");
    const count = "print(open('/etc/ssl/certs/ca-certificates.crt').read().count('BEGIN CERTIFICATE'))";
    const [more, before] = [Number(await run(trusting, count)), Number(await run(strange, count))];
    expect(before).toBeGreaterThan(50);
    expect(more).toBe(before + 1);
  });

  it("is trusted in a container that runs for the first time, and leaves nothing that cells could read or change before", async () => {
    verifies("CONT-13");
    expect(await run(trusting, "!ls /run/ipybox/certificates 2>&1; stat -c %U:%a /etc/ssl/certs/ca-certificates.crt")).toMatch(
      /(No such file|Permission denied)[^]*root:644$/,
    );
    expect((await inspect(trusting.id))?.Mounts).toEqual([]);
  });
});
