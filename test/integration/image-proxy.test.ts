import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { DEFAULTS, ExecutionClient, ExecutionContainer, ExecutionImage, IpyboxError } from "ipybox";
import { type Authority, makeAuthority } from "../fakes/authority.ts";
import { PROBE, type Site, startSite } from "../fakes/package-site.ts";
import { type Proxy, startProxy } from "../fakes/proxy.ts";
import { verifies } from "../requirements.ts";
import { bridgeAddress, hasImage, removeImages } from "./docker.ts";
import { rejection } from "./sandbox.ts";

const TAG = "ipybox-test/inspected";
let directory: string;
let dependencies: string;
let authorities: readonly [Authority, Authority];
let sites: readonly [Site, Site];
let proxy: Proxy;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ipybox-proxy-"));
  const host = await bridgeAddress();
  const making = ["one", "two"].map(async (name) => makeAuthority(await mkdtemp(join(directory, name))));
  authorities = (await Promise.all(making)) as [Authority, Authority];
  const [one, two] = authorities;
  sites = [
    await startSite({ host, certificate: await one.issue("site", "DNS:packages.test") }),
    await startSite({ host, certificate: await two.issue("site", "DNS:files.test") }),
  ];
  const [packages, files] = sites.map(({ url }) => ({ host, port: Number(new URL(url).port) }));
  proxy = await startProxy(host, { ...(packages && { "packages.test": packages }), ...(files && { "files.test": files }) });
  dependencies = join(directory, "requirements.txt");
  await writeFile(dependencies, `--index-url https://packages.test/simple\n${PROBE}==1.0\n`);
  // What a company's machine has: one authority in NODE_EXTRA_CA_CERTS, and a proxy for all.
  const own = process.env.NODE_EXTRA_CA_CERTS;
  const bundle = join(directory, "extra.pem");
  await writeFile(bundle, (own === undefined ? "" : await readFile(own, "utf8")) + one.pem);
  vi.stubEnv("NODE_EXTRA_CA_CERTS", bundle);
  vi.stubEnv("HTTP_PROXY", proxy.url);
  vi.stubEnv("https_proxy", proxy.url);
  vi.stubEnv("NO_PROXY", "direct.test");
}, 60_000);
afterAll(async () => {
  vi.unstubAllEnvs();
  await removeImages(TAG);
  await Promise.all([...sites, proxy].map((one) => one[Symbol.asyncDispose]()));
  await rm(directory, { recursive: true, force: true });
});

describe("behind a proxy that inspects TLS", () => {
  it("a build trusts the machine's extra authorities, and those that it is given, from its first download on", async () => {
    verifies("IMG-07", "IMG-01");
    const caCertificates = [authorities[1].path];
    // On the default image, so that less is to be downloaded.
    const image = await ExecutionImage.build({ tag: TAG, base: DEFAULTS.tag, dependencies, caCertificates });
    expect(image.tag).toBe(`${TAG}:latest`);
    expect(proxy.requests).toContain("CONNECT packages.test:443");
    expect(proxy.requests.some((request) => /^GET http:\/\/.*InRelease$/.test(request))).toBe(true);
    expect(sites[0].requests).toContain(`GET /files/${PROBE}-1.0-py3-none-any.whl`);
  }, 240_000);

  it("cells of that image install packages and get pages without setting anything", async () => {
    verifies("IMG-07");
    await using container = await ExecutionContainer.create({ tag: TAG });
    await using client = await ExecutionClient.connect({ port: container.port });
    // What a build installs is compiled, though its base has what cells install compiled later.
    const compiled = `import glob; any("${PROBE}" in path for path in glob.glob("/venv/lib/**/*.pyc", recursive=True))`;
    expect((await client.execute(compiled)).text).toBe("True");
    expect((await client.execute(`import ${PROBE} as probe; print(probe.version)`)).text).toBe("1.0");
    await client.execute(`!pip install -q --index-url https://packages.test/simple ${PROBE}==2.0`);
    await using next = await ExecutionClient.connect({ port: container.port });
    expect((await next.execute(`import ${PROBE} as probe; print(probe.version)`)).text).toBe("2.0");
    await next.execute("!pip install -q requests");
    const pages = "import requests\nprint([requests.get(f'https://{name}.test/').text for name in ('packages', 'files')])";
    expect((await next.execute(pages)).text).toBe("['hello', 'hello']");
    expect((await next.execute("import urllib.request; print(urllib.request.urlopen('https://files.test/').read())")).text).toBe(
      "b'hello'",
    );
    const set = "import os; print([os.environ[name] for name in ('HTTPS_PROXY', 'https_proxy', 'http_proxy', 'no_proxy')])";
    expect((await next.execute(set)).text).toBe(`['${proxy.url}', '${proxy.url}', '${proxy.url}', 'direct.test']`);
  }, 120_000);

  it("a build without the authority is refused, with the installer's words", async () => {
    verifies("IMG-07", "IMG-05");
    const other = "ipybox-test/uninspected";
    vi.stubEnv("NODE_EXTRA_CA_CERTS", "");
    const error = await rejection(ExecutionImage.build({ tag: other, base: DEFAULTS.tag, dependencies }), IpyboxError);
    expect(error.code).toBe("image_build_failed");
    expect(error.message).toMatch(/No matching distribution found|certificate verify failed/i);
    expect(await hasImage(other)).toBe(false);
  }, 240_000);
});
