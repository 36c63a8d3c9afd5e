import { type AddressRange, bits, formatRange, parseAddress, rangeOf, unmapped } from "./address.ts";
import { canonicalWrittenName, parsePort } from "./host.ts";
import { isLoopback } from "./special.ts";

/** One thing that an allow-list allows, in its one form. */
export type Entry =
  | {
      readonly kind: "name";
      readonly name: string;
      /** The names below this one, and not itself. */
      readonly below: boolean;
      readonly port: number | undefined;
    }
  | { readonly kind: "range"; readonly range: AddressRange; readonly port: number | undefined };

/** Why a text is no entry. */
export class EntryError extends Error {}

const ALLOWED =
  'Allowed are names ("example.com"), all names below one ("*.example.com"), addresses ("192.0.2.1", "[2001:db8::1]") ' +
  'and ranges ("192.0.2.0/24", "2001:db8::/32"), each with a port if wanted ("example.com:443")';

/** Reads an entry of an allow-list. Throws an `EntryError` that says what is wrong with it and what is allowed. */
export function parseEntry(text: string): Entry {
  const { host, prefix, port } = parts(text);
  const address = parseAddress(host);
  if (address !== undefined) return { kind: "range", range: readRange(address, prefix), port };
  if (prefix !== undefined)
    throw wrong(/^[\d.]*$/.test(host) ? "has no address before its /" : "has a path, or a / behind a name");
  return { kind: "name", ...readName(host), port };
}

/** The one way to write an entry; `parseEntry` gives the same entry for it. */
export function formatEntry(entry: Entry): string {
  const port = entry.port === undefined ? "" : `:${entry.port}`;
  if (entry.kind === "name") return `${entry.below ? "*." : ""}${entry.name}${port}`;
  const range = formatRange(entry.range);
  return entry.range.family === 6 && port !== "" ? `[${range}]${port}` : `${range}${port}`;
}

interface Parts {
  readonly host: string;
  readonly prefix: string | undefined;
  readonly port: number | undefined;
}

function parts(text: string): Parts {
  if (text === "") throw wrong("is empty");
  if (/[\s\p{Cc}]/u.test(text)) throw wrong("has a space or a control character in it");
  if (text.includes("://")) throw wrong("is a URL, of which only the host and the port are meant");
  if (text.includes("%")) throw wrong("has a % in it, as zones and encoded characters do");
  if (text.includes("@")) throw wrong("has an @ in it");
  const found =
    // [v6], [v6/32] or [v6]/32
    /^\[(?<host>[^\]/]*)(?:\/(?<inner>[^\]]*))?\](?:\/(?<outer>[^:]*))?(?::(?<port>.*))?$/.exec(text)?.groups ??
    // IPv6 without brackets has no port
    (parseAddress(text.replace(/\/.*/s, ""))?.family === 6
      ? /^(?<host>[^/]*)(?:\/(?<inner>.*))?$/s.exec(text)?.groups
      : undefined) ??
    /^(?<host>[^:[\]/]*)(?:\/(?<inner>[^:]*))?(?::(?<port>.*))?$/s.exec(text)?.groups;
  if (found === undefined) throw wrong("can't be read; IPv6 with a port needs brackets");
  const { host = "", inner, outer, port } = found;
  if (text.startsWith("[") && parseAddress(host)?.family !== 6) throw wrong("has no IPv6 address in its brackets");
  if (inner !== undefined && outer !== undefined) throw wrong("has two prefix lengths");
  return { host, prefix: inner ?? outer, port: port === undefined ? undefined : readPort(port) };
}

function readPort(text: string): number {
  const port = parsePort(text);
  if (port === undefined) throw wrong("has no port from 1 to 65535 behind its colon");
  return port;
}

function readRange(address: NonNullable<ReturnType<typeof parseAddress>>, prefixText: string | undefined): AddressRange {
  const most = bits(address.family);
  if (prefixText !== undefined && !/^(0|[1-9]\d{0,2})$/.test(prefixText)) throw wrong("has no number behind its /");
  const prefix = prefixText === undefined ? most : Number(prefixText);
  if (prefix > most) throw wrong(`has a prefix length over ${most}`);
  if (prefix === 0) throw wrong('is every address: say "internet" or "public" instead of a list');
  const range = rangeOf(address, prefix);
  if (range.value !== address.value) throw wrong(`is no range: with this prefix length it begins at ${formatRange(range)}`);
  if (unmapped(range).family !== range.family) throw wrong("is IPv4 in the spelling of IPv6: write it as IPv4");
  if (isLoopback(range)) throw wrong("is loopback: that is the sandbox itself, which is always reached");
  if (range.value === 0n && prefix === most) throw wrong("is no address to connect to");
  return range;
}

function readName(host: string): { readonly name: string; readonly below: boolean } {
  if (host === "*") throw wrong('is every name: say "internet" or "public" instead of a list');
  const below = host.startsWith("*.");
  const rest = below ? host.slice(2) : host;
  if (rest.includes("*")) throw wrong('has a * that is not "*." at its beginning');
  const name = canonicalWrittenName(rest);
  if (name !== undefined) return { name, below };
  throw wrong(/^[\da-fx.]+$/i.test(rest) && /\d/.test(rest) ? "is no address in its usual spelling" : "is no name of a host");
}

function wrong(reason: string): EntryError {
  return new EntryError(`${reason}. ${ALLOWED}`);
}
