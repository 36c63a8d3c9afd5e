import { type Authority, canonicalName } from "../../network/host.ts";
import { readServerName } from "./client-hello.ts";

/** What the first bytes that a client sends through a tunnel are. */
export type Opening =
  | { readonly kind: "incomplete" }
  /** To be read request by request. */
  | { readonly kind: "http" }
  /** Not to be looked into further. */
  | { readonly kind: "other" }
  | { readonly kind: "refused"; readonly rule: string; readonly reason: string };

const TLS = 22;
const MAX_LINE_BYTES = 65_536;
const NEWLINE = 10;
/** RFC 9110's token, of which methods are made. */
const TOKEN_AND_SPACE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ /;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]*$/;

/**
 * Says what a client's first bytes are, and whether they fit what the tunnel is to. Where the server has spoken first, it
 * is no HTTP.
 */
export function readOpening(
  bytes: Buffer,
  target: Authority,
  { serverHasSpoken }: { readonly serverHasSpoken: boolean },
): Opening {
  if (bytes.length === 0) return { kind: "incomplete" };
  if (bytes[0] === TLS) return readTls(bytes, target);
  return serverHasSpoken ? { kind: "other" } : readText(bytes);
}

function readTls(bytes: Buffer, { host }: Authority): Opening {
  const found = readServerName(bytes);
  if (found.kind === "incomplete") return { kind: "incomplete" };
  if (found.kind === "malformed") return { kind: "refused", rule: "malformed", reason: "the TLS handshake can't be read" };
  if (found.kind === "none" || host.kind === "address" || canonicalName(found.name) === host.name) return { kind: "other" };
  const name = canonicalName(found.name) ?? "something that is no name";
  return { kind: "refused", rule: "server-name", reason: `the TLS handshake asks for ${name} in a connection to ${host.name}` };
}

function readText(bytes: Buffer): Opening {
  let start = 0;
  while (bytes[start] === 13 || bytes[start] === NEWLINE) start += 1; // servers skip empty lines
  const end = bytes.indexOf(NEWLINE, start);
  const isWhole = end !== -1;
  const line = bytes.toString("latin1", start, isWhole ? end : Math.min(bytes.length, start + MAX_LINE_BYTES));
  // Whatever a lenient server may take for a request: what it is then, the strict parser says.
  if (isWhole) return { kind: /\sHTTP\/\d/i.test(line) ? "http" : "other" };
  const maybe = TOKEN.test(line) || TOKEN_AND_SPACE.test(line);
  if (!maybe) return { kind: "other" };
  if (bytes.length < MAX_LINE_BYTES) return { kind: "incomplete" };
  return { kind: "refused", rule: "malformed", reason: "the first line is too long" };
}
