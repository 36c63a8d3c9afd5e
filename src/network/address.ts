import { isIPv4, isIPv6 } from "node:net";

/** An IP address as a number of 32 or 128 bits. */
export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** All addresses that share their first `prefix` bits; the other bits of `value` are 0. */
export interface AddressRange extends Address {
  readonly prefix: number;
}

const MAPPED = 0xffffn << 32n;
const NAT64 = 0x0064_ff9bn << 96n;

/** Reads the usual spellings only: four decimal numbers without leading zeros, or IPv6 without a zone. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { family: 4, value: joined(text.split(".").map(Number), 8n) };
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const [head = "", tail] = text.split("::");
  const before = groups(head);
  const after = groups(tail ?? "");
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  return { family: 6, value: joined([...before, ...zeros, ...after], 16n) };
}

/** The one spelling of an address: RFC 5952 for IPv6. */
export function formatAddress({ family, value }: Address): string {
  if (family === 4) return split(value, 4, 8n).join(".");
  const parts = split(value, 8, 16n).map((part) => part.toString(16));
  const { start, length } = longestZeros(parts);
  if (length < 2) return parts.join(":");
  return `${parts.slice(0, start).join(":")}::${parts.slice(start + length).join(":")}`;
}

export function formatRange(range: AddressRange): string {
  return range.prefix === bits(range.family) ? formatAddress(range) : `${formatAddress(range)}/${range.prefix}`;
}

/** The range of that many leading bits that an address lies in. */
export function rangeOf({ family, value }: Address, prefix: number): AddressRange {
  const free = BigInt(bits(family) - prefix);
  return { family, value: (value >> free) << free, prefix };
}

export function contains(range: AddressRange, address: Address): boolean {
  return range.family === address.family && rangeOf(address, range.prefix).value === range.value;
}

export function bits(family: 4 | 6): number {
  return family === 4 ? 32 : 128;
}

/** `::ffff:1.2.3.4` is 1.2.3.4 in another spelling: Linux sends the same packets. */
export function unmapped(address: Address): Address {
  const isMapped = address.family === 6 && address.value >> 32n === MAPPED >> 32n;
  return isMapped ? { family: 4, value: address.value & 0xffff_ffffn } : address;
}

/** The range of addresses through which a translator (NAT64) reaches a range of IPv4. */
export function translated(range: AddressRange): AddressRange {
  return { family: 6, value: NAT64 | range.value, prefix: 96 + range.prefix };
}

function groups(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((part) => {
    if (!part.includes(".")) return [Number.parseInt(part, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = part.split(".").map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

function joined(parts: readonly number[], width: bigint): bigint {
  return parts.reduce((value, part) => (value << width) | BigInt(part), 0n);
}

function split(value: bigint, count: number, width: bigint): number[] {
  const mask = (1n << width) - 1n;
  return Array.from({ length: count }, (_, index) => Number((value >> (width * BigInt(count - 1 - index))) & mask));
}

function longestZeros(parts: readonly string[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < parts.length; start += 1) {
    let length = 0;
    while (parts[start + length] === "0") length += 1;
    if (length > best.length) best = { start, length };
  }
  return best;
}
