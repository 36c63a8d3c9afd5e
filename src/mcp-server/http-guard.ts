import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { localhostAllowedHostnames } from "@modelcontextprotocol/server";

/** A name or an address, in brackets if it has colons, and a port. */
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?$/i;

/** Why a request is not let in. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
}

/** Who is let in. */
export interface Admitted {
  /** Which of the tokens it has. */
  readonly owner: number;
}

/**
 * Lets in who has a token and comes by a name of this machine. Pages in a browser come with their own `Origin`, and after a
 * DNS rebinding with their own `Host`: both are refused.
 */
export class HttpGuard {
  readonly #host: string;
  readonly #hashes: readonly Buffer[];

  /** `host` is the address that is listened on. */
  constructor(host: string, tokens: readonly string[]) {
    this.#host = host;
    this.#hashes = tokens.map(hash);
  }

  admit(request: IncomingMessage): Admitted | Refusal {
    const { host = [], origin = [], authorization = [] } = request.headersDistinct;
    if (host.length !== 1 || origin.length > 1 || authorization.length > 1) {
      return { status: 400, message: "Bad request: Host, Origin and Authorization must not be repeated" };
    }
    if (!this.#isOurs(host[0] ?? "")) return { status: 403, message: "Forbidden: the Host header names another machine" };
    const isForeign = origin[0] !== undefined && origin[0].toLowerCase() !== `http://${host[0]?.toLowerCase()}`;
    if (isForeign) return { status: 403, message: "Forbidden: requests of other web pages are not taken" };
    const owner = this.#ownerOf(authorization[0] ?? "");
    return owner === undefined ? { status: 401, message: "Unauthorized: a bearer token is needed" } : { owner };
  }

  /** On loopback its names alone; elsewhere addresses too, since rebinding needs a name. */
  #isOurs(header: string): boolean {
    const name = HOST.exec(header)?.[1]?.toLowerCase();
    if (name === undefined) return false;
    if (localhostAllowedHostnames().includes(name)) return true;
    if (isLoopback(this.#host)) return name === this.#host;
    return isIP(name.replace(/^\[|\]$/g, "")) !== 0 || [this.#host.toLowerCase(), hostname().toLowerCase()].includes(name);
  }

  /** Takes the same time for every wrong token. */
  #ownerOf(header: string): number | undefined {
    const [, token = ""] = /^Bearer +(\S+) *$/i.exec(header) ?? [];
    const given = hash(token);
    let owner: number | undefined;
    for (const [index, expected] of this.#hashes.entries()) if (timingSafeEqual(given, expected)) owner = index;
    return owner;
  }
}

/** Whether only this machine reaches an address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

function hash(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
