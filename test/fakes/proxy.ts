import { createServer, request as ask } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { listen, splice } from "./daemon.ts";

/** Where requests for a host go instead. */
export type Detours = Readonly<Record<string, { readonly host: string; readonly port: number }>>;

export interface Proxy extends AsyncDisposable {
  readonly url: string;
  /** What came through it: `CONNECT host:port`, or a method and a whole address. */
  readonly requests: readonly string[];
}

/**
 * A forwarding proxy for HTTP and HTTPS. Hosts with a detour are answered by another: with a certificate
 * of its own for them, that one and this proxy are together what inspects TLS.
 */
export async function startProxy(host: string, detours: Detours): Promise<Proxy> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const url = new URL(request.url ?? "");
    const target = detours[url.hostname] ?? { host: url.hostname, port: Number(url.port || 80) };
    const { method, headers } = request;
    const forwarded = ask({ ...target, method, headers, path: url.pathname + url.search, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    forwarded.on("error", () => response.writeHead(502).end());
    request.pipe(forwarded);
  });
  server.on("connect", (request, client, head) => {
    requests.push(`CONNECT ${request.url}`);
    const { hostname, port } = new URL(`https://${request.url}`);
    const target = connect(detours[hostname] ?? { host: hostname, port: Number(port || 443) }, () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      target.write(head);
      splice(client, target);
    });
    target.on("error", () => client.destroy());
    client.on("error", () => target.destroy());
  });
  const end = await listen(server, { port: 0, host });
  return { url: `http://${host}:${(server.address() as AddressInfo).port}`, requests, [Symbol.asyncDispose]: end };
}
