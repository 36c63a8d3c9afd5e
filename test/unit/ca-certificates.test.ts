import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { machineCaCertificates, readCaCertificates } from "../../src/ca-certificates.ts";
import { makeAuthority, type Authority } from "../fakes/authority.ts";
import { verifies } from "../requirements.ts";

let directory: string;
let authority: Authority;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ipybox-ca-"));
  authority = await makeAuthority(directory);
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

test("a file of several certificates gives each once, under a name that follows from it", async () => {
  verifies("CONT-13");
  const bundle = join(directory, "bundle.pem");
  await writeFile(bundle, `# two\r\n${authority.pem}${rootCertificates[0]}\n${authority.pem}`);
  const certificates = await readCaCertificates([bundle, authority.path], "caCertificates");
  expect(certificates).toHaveLength(2);
  expect(certificates.every(({ name }) => /^ipybox-[0-9a-f]{16}\.crt$/.test(name))).toBe(true);
});

test("the machine's extra authorities are those that are not public anyway", async () => {
  verifies("IMG-07");
  const bundle = join(directory, "machine.pem");
  await writeFile(bundle, `${rootCertificates.join("\n")}\n${authority.pem}`);
  const [own] = await readCaCertificates([authority.path], "caCertificates");
  const found = await machineCaCertificates({ NODE_EXTRA_CA_CERTS: bundle });
  const without = await machineCaCertificates({});
  expect(found.filter(({ name }) => !without.some((other) => other.name === name))).toEqual([own]);
});

test.each([
  ["none.pem", undefined, /none\.pem can't be read/],
  ["empty.pem", "", /empty\.pem holds no certificate in PEM form/],
  ["broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", /broken\.pem holds a broken certificate/],
])("%s is refused", async (name, content, message) => {
  verifies("CONT-13");
  const path = join(directory, name);
  if (content !== undefined) await writeFile(path, content);
  await expect(readCaCertificates([path], "caCertificates")).rejects.toThrow(message);
});
