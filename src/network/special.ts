import { type Address, type AddressRange, contains, parseAddress, translated } from "./address.ts";

/** Addresses that are no part of the public internet, or are a cloud's own. */
export interface SpecialRange {
  readonly range: AddressRange;
  /** As it is written. */
  readonly name: string;
  readonly use: string;
}

/** From IANA's registries of special-purpose addresses, and what clouds have made special besides. */
const RANGES: readonly (readonly [range: string, use: string])[] = [
  ["0.0.0.0/8", "this network"],
  ["10.0.0.0/8", "private use"],
  ["100.64.0.0/10", "shared by carriers; also a cloud's metadata"],
  ["127.0.0.0/8", "loopback"],
  ["168.63.129.16/32", "Azure's own services"],
  ["169.254.0.0/16", "link-local; also clouds' metadata"],
  ["172.16.0.0/12", "private use"],
  ["192.0.0.0/24", "protocol assignments"],
  ["192.0.2.0/24", "documentation"],
  ["192.88.99.0/24", "6to4 relays"],
  ["192.168.0.0/16", "private use"],
  ["198.18.0.0/15", "benchmarks"],
  ["198.51.100.0/24", "documentation"],
  ["203.0.113.0/24", "documentation"],
  ["224.0.0.0/4", "multicast"],
  ["240.0.0.0/4", "reserved, and broadcast"],
  ["::/96", "this host, loopback and IPv4 in a spelling of old"],
  ["::ffff:0:0/96", "IPv4 in another spelling"],
  ["64:ff9b:1::/48", "local translators"],
  ["100::/64", "discarded"],
  ["2001::/23", "protocol assignments and Teredo"],
  ["2001:db8::/32", "documentation"],
  ["2002::/16", "6to4"],
  ["3fff::/20", "documentation"],
  ["5f00::/16", "segment routing"],
  ["fc00::/7", "private use; also clouds' metadata"],
  ["fe80::/10", "link-local"],
  ["fec0::/10", "site-local"],
  ["ff00::/8", "multicast"],
];

let ranges: readonly SpecialRange[] | undefined;

/** All of them; read when they are first asked for, which is not in each container. */
export function specialRanges(): readonly SpecialRange[] {
  ranges ??= RANGES.flatMap(([name, use]) => {
    const [text = "", prefix] = name.split("/");
    const special = { range: { ...(parseAddress(text) as Address), prefix: Number(prefix) }, name, use };
    // What a NAT64 translator would make of it.
    return special.range.family === 4 ? [special, { ...special, range: translated(special.range) }] : [special];
  });
  return ranges;
}

/** What an address is used for, when it is not one of the public internet. */
export function specialUse(address: Address): SpecialRange | undefined {
  return specialRanges().find(({ range }) => contains(range, address));
}

export function isLoopback(address: Address): boolean {
  return address.family === 4 ? address.value >> 24n === 127n : address.value === 1n;
}
