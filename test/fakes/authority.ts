import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const openssl = (...args: readonly string[]): Promise<unknown> => promisify(execFile)("openssl", args);

/** A certificate authority that nobody trusts yet. */
export interface Authority {
  readonly path: string;
  readonly pem: string;
  /** A certificate and its key for a server, or for a client. */
  issue(name: string, subjectAltName: string): Promise<{ readonly cert: string; readonly key: string }>;
}

/** Makes an authority with its files in a directory. */
export async function makeAuthority(directory: string): Promise<Authority> {
  const [key, path] = [join(directory, "ca-key.pem"), join(directory, "ca.pem")];
  // What Python 3.13 wants of an authority: it verifies strictly.
  const usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"];
  const subject = ["-subj", "/CN=ipybox test authority", "-days", "2", ...usage];
  await openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", path, ...subject);
  return {
    path,
    pem: await readFile(path, "utf8"),
    async issue(name, subjectAltName) {
      const [ownKey, request, cert] = ["key", "csr", "cert"].map((kind) => join(directory, `${name}-${kind}.pem`)) as [
        string,
        string,
        string,
      ];
      const extensions = join(directory, `${name}.ext`);
      const identifiers = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";
      await writeFile(extensions, `subjectAltName=${subjectAltName}\nbasicConstraints=CA:FALSE\n${identifiers}`);
      await openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", ownKey, "-out", request, "-subj", `/CN=${name}`);
      const signer = ["-CA", path, "-CAkey", key, "-CAcreateserial", "-days", "2", "-extfile", extensions];
      await openssl("x509", "-req", "-in", request, "-out", cert, ...signer);
      return { cert: await readFile(cert, "utf8"), key: await readFile(ownKey, "utf8") };
    },
  };
}
