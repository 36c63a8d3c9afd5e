import { createHash, X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { IpyboxError } from "./errors.ts";

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const LOCAL = "/usr/local/share/ca-certificates";
const DISTRIBUTED = "/usr/share/ca-certificates";

/** One certificate, under a name that follows from its content. */
export interface CaCertificate {
  readonly name: string;
  readonly pem: string;
}

/** Reads certificates from files in PEM form, or from directories of them. */
export async function readCaCertificates(paths: readonly string[], field: string): Promise<readonly CaCertificate[]> {
  const found: CaCertificate[] = [];
  for (const path of paths) {
    const certificates = (await readPaths(path, field)).flatMap(certificatesOf);
    const broken = certificates.find(({ pem }) => !isCertificate(pem));
    if (certificates.length === 0 || broken !== undefined) {
      const reason = broken === undefined ? "holds no certificate in PEM form" : "holds a broken certificate";
      throw new IpyboxError("invalid_option", `${field}: ${path} ${reason} (-----BEGIN CERTIFICATE----- …).`, {
        details: { field, path },
      });
    }
    found.push(...certificates);
  }
  return distinct(found);
}

/**
 * The authorities that this machine trusts beyond the public ones: Debian's local ones and what
 * `NODE_EXTRA_CA_CERTS` adds. A proxy that inspects TLS has its own among them.
 */
export async function machineCaCertificates(env: NodeJS.ProcessEnv = process.env): Promise<readonly CaCertificate[]> {
  const paths = [LOCAL, ...(env.NODE_EXTRA_CA_CERTS ? [env.NODE_EXTRA_CA_CERTS] : [])].filter((path) => existsSync(path));
  const texts = (await Promise.all(paths.map((path) => readTree(path)))).flat();
  const known = new Set([...rootCertificates, ...(await readTree(DISTRIBUTED))].flatMap(certificatesOf).map(({ name }) => name));
  return distinct(texts.flatMap(certificatesOf).filter(({ name, pem }) => !known.has(name) && isCertificate(pem)));
}

async function readPaths(path: string, field: string): Promise<readonly string[]> {
  try {
    await stat(path);
    return await readTree(path);
  } catch (cause) {
    throw new IpyboxError("invalid_option", `${field}: ${path} can't be read: ${(cause as Error).message}.`, {
      details: { field, path },
      cause,
    });
  }
}

async function readTree(path: string): Promise<readonly string[]> {
  if (!existsSync(path)) return [];
  if ((await stat(path)).isFile()) return [await readFile(path, "utf8")];
  const names = (await readdir(path)).sort();
  return (await Promise.all(names.map((name) => readTree(join(path, name))))).flat();
}

function certificatesOf(text: string): readonly CaCertificate[] {
  return (text.match(PEM) ?? []).map((pem) => {
    const body = pem.replace(/-----[^-]+-----|\s/g, "");
    const hash = createHash("sha256").update(body).digest("hex");
    const lines = body.match(/.{1,64}/g) ?? [];
    return {
      name: `ipybox-${hash.slice(0, 16)}.crt`,
      pem: `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`,
    };
  });
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).validTo !== "";
  } catch {
    return false;
  }
}

function distinct(certificates: readonly CaCertificate[]): readonly CaCertificate[] {
  const byName = new Map(certificates.map((certificate) => [certificate.name, certificate]));
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
