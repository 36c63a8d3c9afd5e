import { createServer, type RequestListener } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { listen } from "./daemon.ts";
import { wheel } from "./wheel.ts";

/** The package that the site has, in versions 1.0 and 2.0. */
export const PROBE = "ipybox_probe";

export interface Site extends AsyncDisposable {
  /** Without a slash at its end. */
  readonly url: string;
  /** What was asked for, method and path. */
  readonly requests: readonly string[];
}

export interface SiteOptions {
  /** An address that containers can reach. */
  readonly host: string;
  /** Makes it a site with TLS. */
  readonly certificate?: { readonly cert: string; readonly key: string };
}

/** A site on this machine that says hello at `/` and has a package index at `/simple`. */
export async function startSite({ host, certificate }: SiteOptions): Promise<Site> {
  const requests: string[] = [];
  const files = new Map(["1.0", "2.0"].map((version) => wheel(PROBE, version)).map(({ file, bytes }) => [file, bytes]));
  const answer: RequestListener = (request, response) => {
    const path = request.url ?? "/";
    requests.push(`${request.method} ${path}`);
    const file = files.get(path.slice("/files/".length));
    if (path === "/") response.end("hello");
    else if (file !== undefined) response.end(file);
    else if (/^\/simple\/ipybox[-_]probe\/$/.test(path)) {
      const links = [...files.keys()].map((name) => `<a href="../../files/${name}">${name}</a>`);
      response.setHeader("content-type", "text/html").end(`<!DOCTYPE html><html><body>${links.join("\n")}</body></html>`);
    } else response.writeHead(404).end("not found");
  };
  const server: Server = certificate === undefined ? createServer(answer) : createSecureServer(certificate, answer);
  server.on("tlsClientError", () => undefined);
  const end = await listen(server, { port: 0, host });
  const scheme = certificate === undefined ? "http" : "https";
  return { url: `${scheme}://${host}:${(server.address() as AddressInfo).port}`, requests, [Symbol.asyncDispose]: end };
}
