import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readDeniedPacket } from "../../src/agent/network/denied-packet.ts";
import { Denials } from "../../src/agent/network/denials.ts";
import { PacketLogReader } from "../../src/agent/network/packet-log.ts";
import { readServerName } from "../../src/agent/proxy/client-hello.ts";
import { Gate, Refusal } from "../../src/agent/proxy/gate.ts";
import { readOpening } from "../../src/agent/proxy/opening.ts";
import { Proxy } from "../../src/agent/proxy/proxy.ts";
import { readConnectTarget, readRequestTarget } from "../../src/agent/proxy/request-target.ts";
import { readSocks } from "../../src/agent/proxy/socks.ts";
import { type Authority, parseAuthority } from "../../src/network/host.ts";
import { Judge } from "../../src/network/judge.ts";
import { readPolicy } from "../../src/network/policy.ts";
import type { DeniedEvent } from "../../src/protocol/control.ts";
import { verifies } from "../requirements.ts";

const RUNS = { numRuns: 10_000 };
const target = parseAuthority("example.com:443") as Authority;
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));

/** A TLS client's first message. */
function hello(name: string | undefined, extra: Buffer = Buffer.alloc(0)): Buffer {
  const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
  const sized = (content: Buffer): Buffer => Buffer.concat([u16(content.length), content]);
  const entry = name === undefined ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0]), sized(Buffer.from(name, "latin1"))]);
  const extension = name === undefined ? Buffer.alloc(0) : Buffer.concat([u16(0), sized(sized(entry))]);
  const body = Buffer.concat([
    Buffer.alloc(34),
    Buffer.from([0]),
    sized(u16(4865)),
    Buffer.from([1, 0]),
    sized(Buffer.concat([extra, extension])),
  ]);
  const message = Buffer.concat([Buffer.from([1, 0]), u16(body.length), body]);
  return Buffer.concat([Buffer.from([22, 3, 1]), sized(message)]);
}

describe("whatever it is given,", () => {
  test("the reader of TLS gives a name only when it has all of the message", () => {
    verifies("NET-05", "LIFE-05");
    fc.assert(
      fc.property(fc.oneof(fc.constant(undefined), fc.domain()), fc.nat({ max: 400 }), (name, cut) => {
        const whole = hello(name);
        expect(readServerName(whole)).toEqual(name === undefined ? { kind: "none" } : { kind: "name", name });
        if (cut < whole.length) expect(readServerName(whole.subarray(0, cut))).toEqual({ kind: "incomplete" });
      }),
      RUNS,
    );
    fc.assert(
      fc.property(bytes, fc.nat({ max: 200 }), (noise, at) => {
        const spoilt = Buffer.concat([hello("example.com").subarray(0, at), noise]);
        expect(["incomplete", "none", "name", "malformed"]).toContain(readServerName(spoilt).kind);
        expect(["incomplete", "http", "other", "refused"]).toContain(
          readOpening(spoilt, target, { serverHasSpoken: false }).kind,
        );
      }),
      RUNS,
    );
  });

  test("the same name twice, or in two extensions, is not believed", () => {
    verifies("NET-05");
    const second = hello("example.com").subarray(5 + 4 + 34 + 1 + 4 + 2 + 2);
    expect(readServerName(hello("example.com", second))).toEqual({ kind: "malformed" });
  });

  test("SOCKS is read as far as it has come, and to the same end however it is cut", () => {
    verifies("NET-05", "LIFE-05");
    const request = fc.oneof(
      bytes,
      fc
        .tuple(fc.constantFrom(1, 3, 4), bytes)
        .map(([kind, rest]) => Buffer.concat([Buffer.from([5, 1, 0, 5, 1, 0, kind]), rest])),
    );
    fc.assert(
      fc.property(request, (given) => {
        const found = readSocks(given);
        expect(["incomplete", "connect", "refused"]).toContain(found.kind);
        if (found.kind !== "connect") return;
        const used = given.subarray(0, given.length - found.rest.length);
        expect(readSocks(used)).toEqual({ ...found, rest: Buffer.alloc(0) });
        expect(readSocks(used.subarray(0, -1)).kind).toBe("incomplete");
      }),
      RUNS,
    );
  });

  test("a request goes where all that it says agrees, or nowhere", () => {
    verifies("NET-05", "LIFE-05");
    const piece = fc.oneof(
      fc.constantFrom(
        "example.com",
        "evil.example",
        "EXAMPLE.com.",
        "10.0.0.1",
        "[::1]",
        "@",
        ":80",
        ":443",
        "/",
        "?",
        "#",
        "\\",
        "%00",
        "http://",
        "\t",
        "..",
      ),
      fc.string({ maxLength: 3 }),
    );
    const noise = fc.array(piece, { maxLength: 5 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(
        fc.tuple(fc.constantFrom("", "http://"), noise),
        fc.array(noise, { maxLength: 2 }),
        fc.boolean(),
        ([scheme, rest], hosts, isBound) => {
          const request = { url: scheme + rest, httpVersion: "1.1", rawHeaders: hosts.flatMap((host) => ["Host", host]) };
          const bound = isBound ? (parseAuthority("example.com:80") as Authority) : undefined;
          const found = readRequestTarget(request, bound);
          const connected = readConnectTarget({ ...request, url: rest });
          for (const one of [found, connected]) {
            if (one.kind === "refused") {
              expect(one.reason).not.toBe("");
              continue;
            }
            expect(hosts.length).toBeLessThan(2);
            for (const host of hosts) expect(parseAuthority(host, one.target.port)).toEqual(one.target);
          }
          if (found.kind === "target" && bound !== undefined) expect(found.target).toEqual(bound);
          if (found.kind === "target") expect(found.path).toMatch(/^[/*]/);
        },
      ),
      RUNS,
    );
  });

  test("what Linux tells of packets is read, or passed over", () => {
    verifies("NET-07", "LIFE-05");
    fc.assert(
      fc.property(bytes, fc.integer({ min: 0, max: 255 }), (noise, first) => {
        const packet = readDeniedPacket(Buffer.concat([Buffer.from([first]), noise]));
        if (packet !== undefined) expect(packet.address).toMatch(/^[0-9a-f.:]+$/);
        if (packet?.name !== undefined) expect(packet.name).toMatch(/^[a-z0-9_.-]+$/);
      }),
      RUNS,
    );
  });

  test("a stream of netlink's messages is read alike however it is cut", () => {
    verifies("NET-07", "LIFE-05");
    const message = (payload: Buffer, sequence: number): Buffer => {
      const attribute = (kind: number, value: Buffer): Buffer => {
        const header = Buffer.alloc(4);
        header.writeUInt16LE(4 + value.length, 0);
        header.writeUInt16LE(kind, 2);
        return Buffer.concat([header, value, Buffer.alloc(-value.length & 3)]);
      };
      const number = Buffer.alloc(4);
      number.writeUInt32BE(sequence);
      const body = Buffer.concat([Buffer.alloc(4), attribute(9, payload), attribute(12, number)]);
      const header = Buffer.alloc(16);
      header.writeUInt32LE(16 + body.length, 0);
      header.writeUInt16LE(4 << 8, 4);
      return Buffer.concat([header, body]);
    };
    fc.assert(
      fc.property(fc.array(bytes, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 60 }), (payloads, step) => {
        const stream = Buffer.concat(payloads.map(message));
        const found: [number | undefined, string][] = [];
        const reader = new PacketLogReader(({ sequence, packet }) => found.push([sequence, packet.toString("hex")]));
        for (let at = 0; at < stream.length; at += step) reader.push(stream.subarray(at, at + step));
        expect(found).toEqual(payloads.map((payload, index) => [index, payload.toString("hex")]));
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(bytes, (noise) => {
        try {
          new PacketLogReader(() => undefined).push(noise);
        } catch (error) {
          expect((error as Error).message).toMatch(/^a netlink message of \d+ bytes$/);
        }
      }),
      RUNS,
    );
  });
});

describe("the proxy", () => {
  let upstream: Server;
  let port: number;
  const reports: unknown[] = [];
  beforeAll(async () => {
    upstream = createServer((request, response) => void request.resume().on("end", () => response.end("hello")));
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
    const gate = new Gate(new Judge(readPolicy({ allow: ["example.com"] })), (denial) => reports.push(denial));
    // Only where it connects to is another place than in a sandbox.
    gate.dial = async ({ host }) => {
      if (host.kind !== "name" || host.name !== "example.com") throw new Refusal("denied", "not listed");
      const socket = connect({ port: (upstream.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
      await new Promise((resolve) => socket.once("connect", resolve));
      return socket.on("error", () => socket.destroy());
    };
    port = await new Proxy(gate, (denial) => reports.push(denial)).listen();
  });
  afterAll(() => {
    upstream.closeAllConnections();
    upstream.close();
  });

  /** What it answers. */
  const say = async (given: Uint8Array, { ends = true } = {}): Promise<string> => {
    const socket = connect({ port, host: "127.0.0.1" });
    const answer = text(socket).catch(() => "");
    socket.on("error", () => undefined);
    if (ends) socket.end(given);
    else socket.write(given);
    return answer;
  };

  test("goes on whatever it is sent", { timeout: 120_000 }, async () => {
    verifies("NET-05", "LIFE-05");
    const starts = [
      "",
      "\x05\x01\x00",
      "GET http://example.com/ HTTP/1.1\r\n",
      "CONNECT example.com:80 HTTP/1.1\r\nHost: example.com:80\r\n\r\n",
      "POST http://example.com/ HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n",
    ];
    const given = fc
      .tuple(fc.constantFrom(...starts), bytes)
      .map(([start, rest]) => Buffer.concat([Buffer.from(start, "latin1"), rest]));
    for (const batch of fc.sample(fc.array(given, { minLength: 50, maxLength: 50 }), 20))
      await Promise.all(batch.map((one) => say(one)));
    expect(
      await say(Buffer.from("GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"), {
        ends: false,
      }),
    ).toMatch(/^HTTP\/1\.1 200 OK[^]*hello/);
  });
});

test("what is denied in short is told in sums, and none of it is lost", async () => {
  verifies("NET-07");
  const told: DeniedEvent[] = [];
  const denials = new Denials((events) => told.push(...events));
  const denial = { protocol: "tcp", rule: "none", reason: "" } as const;
  for (let index = 0; index < 5_000; index += 1) denials.add({ ...denial, host: `10.0.${index >> 8}.${index & 255}`, port: 80 });
  for (let index = 0; index < 5_000; index += 1) denials.add({ ...denial, protocol: "udp", host: "10.0.0.1", port: 53 });
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(told.reduce((sum, { count }) => sum + count, 0)).toBe(10_000);
  expect(told.length).toBeLessThan(400);
  expect(told.filter(({ count }) => count === 1).length).toBeGreaterThan(100);
});
