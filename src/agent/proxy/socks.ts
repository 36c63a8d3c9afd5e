import { type Address, parseAddress } from "../../network/address.ts";
import { type Authority, type Host, parseHost } from "../../network/host.ts";

/** SOCKS 5 (RFC 1928): the greeting and the request of a client, as far as they have come. */
export type SocksRequest =
  | { readonly kind: "incomplete"; readonly greeted: boolean }
  | { readonly kind: "connect"; readonly greeted: true; readonly target: Authority; readonly rest: Buffer }
  /** `greeted`: the greeting is to be answered first. */
  | { readonly kind: "refused"; readonly greeted: boolean; readonly reply: Buffer; readonly reason: string };

export const SOCKS_VERSION = 5;
/** "No authentication": whoever reaches the proxy is in the sandbox. */
export const SOCKS_GREETING: Buffer = Buffer.from([SOCKS_VERSION, 0]);

const NO_METHOD = Buffer.from([SOCKS_VERSION, 0xff]);
const CONNECT = 1;
const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;

export const SocksReply = { done: 0, failed: 1, denied: 2, unreachable: 4, badCommand: 7, badAddress: 8 } as const;

export function socksReply(code: number): Buffer {
  return Buffer.from([SOCKS_VERSION, code, 0, IPV4, 0, 0, 0, 0, 0, 0]);
}

/** Reads all that a client has sent so far. */
export function readSocks(bytes: Buffer): SocksRequest {
  const methods = bytes[1];
  if (methods === undefined || bytes.length < 2 + methods) return { kind: "incomplete", greeted: false };
  if (!bytes.subarray(2, 2 + methods).includes(0))
    return { ...refused(NO_METHOD, "the client wants to authenticate itself"), greeted: false };
  const request = bytes.subarray(2 + methods);
  const [version, command, , kind] = request;
  if (version !== undefined && version !== SOCKS_VERSION) return refused(socksReply(SocksReply.failed), "not SOCKS 5");
  if (command !== undefined && command !== CONNECT) return refused(socksReply(SocksReply.badCommand), "not a request to connect");
  if (kind === undefined) return { kind: "incomplete", greeted: true };
  const length = kind === IPV4 ? 4 : kind === IPV6 ? 16 : kind === NAME ? request[4] : undefined;
  if (kind !== NAME && length === undefined)
    return refused(socksReply(SocksReply.badAddress), "no kind of address that is known");
  const start = kind === NAME ? 5 : 4;
  if (length === undefined || request.length < start + length + 2) return { kind: "incomplete", greeted: true };
  const host = readHost(kind, request.subarray(start, start + length));
  const port = request.readUInt16BE(start + length);
  if (host === undefined || port === 0)
    return refused(socksReply(SocksReply.badAddress), "no name or address in its usual spelling");
  return { kind: "connect", greeted: true, target: { host, port }, rest: request.subarray(start + length + 2) };
}

function readHost(kind: number, bytes: Buffer): Host | undefined {
  if (kind === NAME) {
    const text = bytes.toString("latin1");
    const address = parseAddress(text);
    return address?.family === 6 ? { kind: "address", address } : parseHost(text);
  }
  const value = BigInt(`0x${bytes.toString("hex")}`);
  const address: Address = { family: kind === IPV4 ? 4 : 6, value };
  return { kind: "address", address };
}

function refused(reply: Buffer, reason: string): Extract<SocksRequest, { kind: "refused" }> {
  return { kind: "refused", greeted: true, reply, reason };
}
