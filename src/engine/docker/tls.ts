import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { IpyboxError } from "../../errors.ts";

/** Certificates for a daemon that speaks TLS. */
export interface EndpointTls {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
  /** False: any server is accepted, as Docker does without `DOCKER_TLS_VERIFY`. */
  readonly verify: boolean;
}

/** TLS for `https://` without certificates of its own. */
export const PUBLIC_TLS: EndpointTls = { ca: undefined, cert: undefined, key: undefined, verify: true };

/** Reads `ca.pem`, `cert.pem` and `key.pem`, as far as they are there. */
export function readTls(directory: string, verify: boolean): EndpointTls {
  const read = (name: string): Buffer | undefined => {
    const path = join(directory, name);
    return existsSync(path) ? readFileSync(path) : undefined;
  };
  const tls = { ca: read("ca.pem"), cert: read("cert.pem"), key: read("key.pem"), verify };
  if (tls.ca === undefined && tls.cert === undefined && tls.key === undefined) {
    throw new IpyboxError(
      "daemon_unreachable",
      `TLS is asked for, but ${directory} holds none of ca.pem, cert.pem and key.pem. ` +
        "Set DOCKER_CERT_PATH to the directory that does, or unset DOCKER_TLS_VERIFY.",
      { details: { directory } },
    );
  }
  return tls;
}
