import { type Authority, parseAuthority, sameHost } from "../../network/host.ts";
import { authorityText } from "./gate.ts";

/** A request's line and headers, before anything is made of them. */
export interface RawRequest {
  readonly url?: string | undefined;
  readonly httpVersion: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

/** Where a request goes and what it asks for there, or why it can't be passed on. */
export type RequestTarget =
  | { readonly kind: "target"; readonly target: Authority; readonly path: string }
  | { readonly kind: "refused"; readonly rule: "malformed" | "host"; readonly reason: string };

const HTTP_PORT = 80;

/**
 * Reads where a plain HTTP request goes. `bound` is the tunnel's target that it came through, if it did. Whatever of the request
 * names a host must name the same.
 */
export function readRequestTarget(request: RawRequest, bound?: Authority): RequestTarget {
  const { url = "" } = request;
  const [, authorityPart, pathPart = ""] = /^http:\/\/([^/?#]*)([^#]*)$/i.exec(url) ?? [];
  const hasAuthority = authorityPart !== undefined;
  if (!hasAuthority && bound === undefined) return malformed("a proxy takes http://host/path, or CONNECT host:port");
  if (!hasAuthority && !/^(\/|\*$)/.test(url)) return malformed("the request asks for no path");
  const named = hasAuthority ? parseAuthority(authorityPart, HTTP_PORT) : bound;
  if (named === undefined) return malformed("the URL has no name or address of a host in its usual spelling");
  if (bound !== undefined && !sameAuthority(named, bound)) return mismatch("the URL", named, bound);
  const framing = checkFraming(request);
  if (framing !== undefined) return malformed(framing);
  const hosts = valuesOf(request, "host");
  if (hosts.length > 1) return malformed("the request has more than one Host header");
  const [text] = hosts;
  if (text === undefined && request.httpVersion !== "1.0") return malformed("the request has no Host header");
  // An address may have names by which it tells its sites apart.
  if (text !== undefined && !(bound?.host.kind === "address")) {
    const host = parseAuthority(text, HTTP_PORT);
    if (host === undefined) return malformed("the Host header has no name or address in its usual spelling");
    if (!sameAuthority(host, named)) return mismatch("the Host header", host, named);
  }
  const path = hasAuthority ? (pathPart.startsWith("/") ? pathPart : `/${pathPart}`) : url;
  return { kind: "target", target: named, path };
}

/** Reads what a CONNECT asks for. */
export function readConnectTarget(request: RawRequest): RequestTarget {
  const target = parseAuthority(request.url ?? "");
  if (target === undefined) return malformed("CONNECT takes host:port, with a name or an address in its usual spelling");
  const hosts = valuesOf(request, "host");
  if (hosts.length > 1) return malformed("the request has more than one Host header");
  const [text] = hosts;
  if (text !== undefined) {
    const host = parseAuthority(text, target.port);
    if (host === undefined) return malformed("the Host header has no name or address in its usual spelling");
    if (!sameAuthority(host, target)) return mismatch("the Host header", host, target);
  }
  return { kind: "target", target, path: "" };
}

export function valuesOf({ rawHeaders }: Pick<RawRequest, "rawHeaders">, name: string): readonly string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name);
}

/** Where a body ends must be beyond doubt: else what follows it would be a request that nobody judges. */
function checkFraming(request: RawRequest): string | undefined {
  const lengths = valuesOf(request, "content-length");
  const encodings = valuesOf(request, "transfer-encoding");
  if (lengths.length + encodings.length > 1) return "the request says more than once how long its body is";
  if (lengths.some((text) => !/^\d{1,15}$/.test(text))) return "the Content-Length is no number";
  if (encodings.some((text) => text.toLowerCase() !== "chunked")) return "the Transfer-Encoding is not chunked";
  if (encodings.length > 0 && request.httpVersion !== "1.1") return "only HTTP/1.1 has a Transfer-Encoding";
  return undefined;
}

function sameAuthority(one: Authority, other: Authority): boolean {
  return one.port === other.port && sameHost(one.host, other.host);
}

function mismatch(what: string, found: Authority, target: Authority): RequestTarget {
  return {
    kind: "refused",
    rule: "host",
    reason: `${what} names ${authorityText(found)} in a request to ${authorityText(target)}`,
  };
}

function malformed(reason: string): RequestTarget {
  return { kind: "refused", rule: "malformed", reason };
}
