/** What a TLS client's first message says about the server that it wants. */
export type ServerName =
  | { readonly kind: "incomplete" }
  | { readonly kind: "none" }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "malformed" };

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const MAX_HELLO_BYTES = 65_536;

const INCOMPLETE: ServerName = { kind: "incomplete" };
const MALFORMED: ServerName = { kind: "malformed" };

/** Reads the beginning of a stream whose first byte is that of a TLS handshake. */
export function readServerName(stream: Buffer): ServerName {
  const parts: Buffer[] = [];
  let known = 0;
  for (let at = 0; ;) {
    if (stream.length > at && stream[at] !== HANDSHAKE_RECORD) return MALFORMED;
    if (stream.length < at + 5) return INCOMPLETE;
    if (stream[at + 1] !== 3) return MALFORMED;
    const length = stream.readUInt16BE(at + 3);
    if (length === 0 || length > 16_384 + 256) return MALFORMED;
    const part = stream.subarray(at + 5, at + 5 + length);
    parts.push(part);
    known += part.length;
    const hello = parts.length === 1 ? part : Buffer.concat(parts);
    if (hello.length > 0 && hello[0] !== CLIENT_HELLO) return MALFORMED;
    if (hello.length >= 4) {
      const total = hello.readUIntBE(1, 3);
      if (total > MAX_HELLO_BYTES) return MALFORMED;
      if (hello.length >= 4 + total) return new HelloReader(hello.subarray(4, 4 + total)).serverName();
    }
    if (known > MAX_HELLO_BYTES) return MALFORMED;
    if (part.length < length) return INCOMPLETE;
    at += 5 + length;
  }
}

/** Reads lengths and what they announce; what is too short ends it. */
class HelloReader {
  #rest: Buffer;

  constructor(bytes: Buffer) {
    this.#rest = bytes;
  }

  serverName(): ServerName {
    try {
      this.#take(2 + 32); // version and random bytes
      this.#vector(1); // session
      this.#vector(2); // cipher suites
      this.#vector(1); // compression
      if (this.#rest.length === 0) return { kind: "none" };
      return new HelloReader(this.#vector(2)).#nameOfExtensions();
    } catch {
      return MALFORMED;
    }
  }

  #nameOfExtensions(): ServerName {
    let found: ServerName = { kind: "none" };
    while (this.#rest.length > 0) {
      const kind = this.#take(2).readUInt16BE(0);
      const content = this.#vector(2);
      if (kind !== SERVER_NAME) continue;
      if (found.kind !== "none") return MALFORMED; // servers differ in which of two they take
      found = new HelloReader(new HelloReader(content).#vector(2)).#onlyName();
    }
    return found;
  }

  #onlyName(): ServerName {
    const type = this.#take(1)[0];
    const name = this.#vector(2).toString("latin1");
    return type === 0 && this.#rest.length === 0 ? { kind: "name", name } : MALFORMED;
  }

  #vector(lengthBytes: number): Buffer {
    return this.#take(this.#take(lengthBytes).readUIntBE(0, lengthBytes));
  }

  #take(length: number): Buffer {
    if (this.#rest.length < length) throw new RangeError("too short");
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }
}
