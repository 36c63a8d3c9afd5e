import { formatAddress } from "../../network/address.ts";
import { canonicalName } from "../../network/host.ts";

/** A packet of a cell that the rules have not let out. */
export interface DeniedPacket {
  readonly protocol: "tcp" | "udp" | "icmp" | "other" | "dns";
  readonly address: string;
  readonly port: number | undefined;
  /** What a question to a resolver asks for. */
  readonly name: string | undefined;
}

const TCP = 6;
const UDP = 17;
const ICMP: ReadonlySet<number> = new Set([1, 58]);
/** Of IPv6: hop-by-hop, routing, fragment and destination options. */
const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 44, 60]);
const RESET = 0x04;
const DNS_PORT = 53;
const DNS_HEADER_BYTES = 12;

/** Reads the beginning of an IP packet. Undefined for what can't be read, and for what only ends a TCP connection. */
export function readDeniedPacket(packet: Buffer): DeniedPacket | undefined {
  const ip = readIp(packet);
  if (ip === undefined) return undefined;
  const { protocol, address, payload } = ip;
  if (ICMP.has(protocol)) return { protocol: "icmp", address, port: undefined, name: undefined };
  if (protocol !== TCP && protocol !== UDP) return { protocol: "other", address, port: undefined, name: undefined };
  if (payload.length < 4) return undefined;
  const port = payload.readUInt16BE(2);
  if (protocol === TCP) {
    const isReset = payload.length > 13 && ((payload[13] as number) & RESET) !== 0;
    return isReset ? undefined : { protocol: "tcp", address, port, name: undefined };
  }
  const name = port === DNS_PORT ? readQuestion(payload.subarray(8)) : undefined;
  return { protocol: name === undefined ? "udp" : "dns", address, port, name };
}

interface IpPacket {
  readonly protocol: number;
  readonly address: string;
  readonly payload: Buffer;
}

function readIp(packet: Buffer): IpPacket | undefined {
  const version = (packet[0] ?? 0) >> 4;
  if (version === 4 && packet.length >= 20) {
    const headerBytes = ((packet[0] as number) & 0x0f) * 4;
    const address = formatAddress({ family: 4, value: BigInt(packet.readUInt32BE(16)) });
    return { protocol: packet[9] as number, address, payload: packet.subarray(Math.max(headerBytes, 20)) };
  }
  if (version !== 6 || packet.length < 40) return undefined;
  const address = formatAddress({ family: 6, value: BigInt(`0x${packet.toString("hex", 24, 40)}`) });
  let protocol = packet[6] as number;
  let payload = packet.subarray(40);
  while (EXTENSIONS.has(protocol) && payload.length >= 8) {
    const next = payload[0] as number;
    payload = payload.subarray(protocol === 44 ? 8 : ((payload[1] as number) + 1) * 8);
    protocol = next;
  }
  return { protocol, address, payload };
}

/** The name of a DNS message's first question. */
function readQuestion(message: Buffer): string | undefined {
  const labels: string[] = [];
  for (let at = DNS_HEADER_BYTES; at < message.length;) {
    const length = message[at] as number;
    if (length === 0) return canonicalName(labels.join("."));
    if (length > 63 || at + 1 + length > message.length) return undefined;
    labels.push(message.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return undefined;
}
