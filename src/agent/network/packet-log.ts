/** What Linux tells of denied packets (NFLOG): the beginning of one, and its number. */
export interface LoggedPacket {
  /** Counts packets from 0; those between that never come were too many to tell. */
  readonly sequence: number | undefined;
  readonly packet: Buffer;
}

const HEADER_BYTES = 16;
const FAMILY_HEADER_BYTES = 4;
/** NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET */
const PACKET = 4 << 8;
const PAYLOAD = 9;
const SEQUENCE = 12;
/** A message holds one packet's beginning; anything longer is no such message. */
const MAX_MESSAGE_BYTES = 65_536;

/** Cuts a stream of netlink messages, which are in the machine's own order of bytes: little endian. */
export class PacketLogReader {
  readonly #onPacket: (packet: LoggedPacket) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(onPacket: (packet: LoggedPacket) => void) {
    this.#onPacket = onPacket;
  }

  /** Throws when the stream can't be followed any more. */
  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= HEADER_BYTES) {
      const length = bytes.readUInt32LE(at);
      if (length < HEADER_BYTES || length > MAX_MESSAGE_BYTES) throw new Error(`a netlink message of ${length} bytes`);
      const aligned = length + (-length & 3);
      if (bytes.length - at < aligned) break;
      if (bytes.readUInt16LE(at + 4) === PACKET) this.#read(bytes.subarray(at + HEADER_BYTES + FAMILY_HEADER_BYTES, at + length));
      at += aligned;
    }
    this.#rest = bytes.subarray(at);
  }

  #read(attributes: Buffer): void {
    let packet: Buffer | undefined;
    let sequence: number | undefined;
    for (let at = 0; attributes.length - at >= 4;) {
      const length = attributes.readUInt16LE(at);
      if (length < 4) break;
      const kind = attributes.readUInt16LE(at + 2);
      const value = attributes.subarray(at + 4, at + length);
      if (kind === PAYLOAD) packet = value;
      else if (kind === SEQUENCE && value.length >= 4) sequence = value.readUInt32BE(0);
      at += length + (-length & 3);
    }
    if (packet !== undefined) this.#onPacket({ sequence, packet });
  }
}
