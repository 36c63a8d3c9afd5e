import { domainToASCII } from "node:url";
import { type Address, parseAddress } from "./address.ts";

/** What a connection is to be made to. */
export type Host = { readonly kind: "name"; readonly name: string } | { readonly kind: "address"; readonly address: Address };

export interface Authority {
  readonly host: Host;
  readonly port: number;
}

const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;
const MAX_NAME = 253;

/**
 * The one form of a name: lower case, without the last dot. Undefined for what is no name, above all for
 * odd spellings of addresses (`0x7f.1`, `2130706433`), which resolvers would take for one.
 */
export function canonicalName(text: string): string | undefined {
  const name = text.toLowerCase().replace(/\.$/, "");
  const labels = name.split(".");
  if (name.length > MAX_NAME || !labels.every((label) => LABEL.test(label))) return undefined;
  return /^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) as string) ? undefined : name;
}

/** As `canonicalName`, of a name that a person has written: letters beyond ASCII become punycode. */
export function canonicalWrittenName(text: string): string | undefined {
  if (/^[\x21-\x7e]*$/.test(text)) return canonicalName(text);
  return /[\s\p{Cc}%/:@?#\\]/u.test(text) ? undefined : canonicalName(domainToASCII(text));
}

/** Reads `name`, `1.2.3.4` or `[2001:db8::1]`. */
export function parseHost(text: string): Host | undefined {
  if (text.startsWith("[") && text.endsWith("]")) {
    const address = parseAddress(text.slice(1, -1));
    return address?.family === 6 ? { kind: "address", address } : undefined;
  }
  const address = parseAddress(text);
  if (address !== undefined) return address.family === 4 ? { kind: "address", address } : undefined;
  const name = canonicalName(text);
  return name === undefined ? undefined : { kind: "name", name };
}

/** Reads `host` or `host:port`. */
export function parseAuthority(text: string, defaultPort?: number): Authority | undefined {
  const [, hostText = "", portText] = /^(\[[^\]]*\]|[^:[\]]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = parseHost(hostText);
  const port = portText === undefined ? defaultPort : parsePort(portText);
  return host === undefined || port === undefined ? undefined : { host, port };
}

/** A port from 1 to 65535, without leading zeros. */
export function parsePort(text: string): number | undefined {
  if (!/^[1-9]\d{0,4}$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65_535 ? port : undefined;
}

export function sameHost(one: Host, other: Host): boolean {
  if (one.kind === "name") return other.kind === "name" && one.name === other.name;
  return other.kind === "address" && one.address.family === other.address.family && one.address.value === other.address.value;
}
