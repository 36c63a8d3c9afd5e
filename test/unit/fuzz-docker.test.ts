import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DockerEngine } from "../../src/engine/docker/docker-engine.ts";
import { LogTail } from "../../src/engine/docker/logs.ts";
import { PullMeter, readEvents } from "../../src/engine/docker/progress.ts";
import { IpyboxError } from "../../src/errors.ts";
import { fakeDaemon } from "../fakes/daemon.ts";
import { FUZZ, FUZZ_TIMEOUT_MS, spoiledText } from "../fuzz.ts";
import { verifies } from "../requirements.ts";

const ID = "c".repeat(64);

const VERSION = { Version: "20.10.24", ApiVersion: "1.41", MinAPIVersion: "1.12", NCPU: 2, MemTotal: 2 ** 32 };
const INSPECTED = {
  Id: ID,
  State: { Running: false, ExitCode: 3, OOMKilled: false, Error: "", Status: "exited" },
  Config: { Labels: { a: "b" } },
  NetworkSettings: {
    Ports: { "8888/tcp": [{ HostIp: "127.0.0.1", HostPort: "32768" }] },
    Networks: { bridge: { IPAddress: "1.2.3.4" } },
  },
};
const LISTED = [
  { Id: ID, Names: ["/x"], Image: "i", State: "running", Created: 5, Labels: {}, Ports: [{ PublicPort: 5, PrivatePort: 8888 }] },
];
const EVENTS = [
  { Action: "kill", Actor: { Attributes: { signal: "9" } } },
  { Action: "die", Actor: { Attributes: { exitCode: "137" } } },
];

interface Asked {
  readonly what: string;
  readonly good: object;
  readonly ask: (engine: DockerEngine) => Promise<unknown>;
}

const ASKED: readonly Asked[] = [
  { what: "version", good: VERSION, ask: (engine) => engine.check() },
  { what: "image", good: { Id: "sha256:1", RepoTags: [] }, ask: (engine) => engine.hasImage("x:latest") },
  { what: "state of a container", good: INSPECTED, ask: (engine) => engine.inspect(ID) },
  { what: "addresses", good: INSPECTED, ask: (engine) => engine.address(ID) },
  { what: "containers", good: LISTED, ask: (engine) => engine.list({ x: "y" }) },
  { what: "last event", good: EVENTS[1] ?? {}, ask: (engine) => engine.ending(ID) },
];

describe("whatever a daemon says about the", { timeout: FUZZ_TIMEOUT_MS }, () => {
  test.each(ASKED)("$what, it is understood, or told that it can't be", async ({ good, ask }) => {
    verifies("LIFE-05");
    let answer: { readonly status: number; readonly body: Buffer } = { status: 200, body: Buffer.alloc(0) };
    await using daemon = await fakeDaemon((request, response) => {
      request.resume();
      response.writeHead(answer.status, { "content-type": "application/json" }).end(answer.body);
    });
    const engine = new DockerEngine(daemon.dockerHost);
    const status = fc.oneof({ weight: 8, arbitrary: fc.constant(200) }, fc.constantFrom(201, 204, 304, 400, 404, 409, 500, 503));
    await fc.assert(
      fc.asyncProperty(spoiledText(good), status, async (body, status) => {
        answer = { status, body };
        await ask(engine).catch((error: unknown) => expect(error).toBeInstanceOf(IpyboxError));
      }),
      // A request each: the parsers behind them are tried as often, all together.
      { ...FUZZ, numRuns: Math.ceil(FUZZ.numRuns / ASKED.length) },
    );
  });
});

const inPieces = fc.array(fc.nat(40), { maxLength: 20 });

function* cut(bytes: Buffer, lengths: readonly number[]): Generator<Buffer> {
  let offset = 0;
  for (const length of [...lengths, bytes.length]) yield bytes.subarray(offset, (offset += length));
}

test("a log that comes in any pieces is kept to its end; no length makes it keep more", { timeout: FUZZ_TIMEOUT_MS }, () => {
  verifies("LIFE-05");
  const piece = fc.tuple(fc.string({ maxLength: 30 }), fc.nat(2)).map(([text, stream]) => {
    const header = Buffer.alloc(8);
    header[0] = stream;
    header.writeUInt32BE(Buffer.byteLength(text), 4);
    return { bytes: Buffer.concat([header, Buffer.from(text)]), text };
  });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), inPieces, fc.uint8Array({ maxLength: 60 }), (pieces, lengths, rubbish) => {
      const log = new LogTail();
      for (const chunk of cut(Buffer.concat(pieces.map(({ bytes }) => bytes)), lengths)) log.add(chunk);
      const text = pieces.map((one) => Buffer.from(one.text).toString()).join("");
      expect(log.tail(1_000)).toBe(text.trimEnd().split("\n").slice(-1_000).join("\n"));
      log.add(Buffer.from(rubbish));
      expect(log.tail(20).split("\n").length).toBeLessThanOrEqual(20);
    }),
    FUZZ,
  );
});

test("progress is summed, or is an error, wherever it is cut", { timeout: FUZZ_TIMEOUT_MS }, async () => {
  verifies("LIFE-05");
  const line = spoiledText({ id: "a", status: "Downloading", progressDetail: { current: 1, total: 2 } });
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 4 }), inPieces, async (lines, lengths) => {
      const meter = new PullMeter();
      const bytes = Buffer.concat(lines.flatMap((one) => [one, Buffer.from("\r\n")]));
      try {
        for await (const event of readEvents(Readable.from(cut(bytes, lengths)))) {
          expect(typeof meter.add(event).receivedBytes).not.toBe("undefined");
        }
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
    FUZZ,
  );
});
