import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseBinds } from "../../src/binds.ts";
import { PullMeter, readEvents } from "../../src/engine/docker/progress.ts";
import { resolveEndpoint } from "../../src/engine/docker/endpoint.ts";
import { IpyboxError } from "../../src/errors.ts";
import { fullImageName } from "../../src/image-reference.ts";
import { parseContainerOptions } from "../../src/options.ts";
import { imageOf } from "../../src/result-image.ts";
import { FUZZ, FUZZ_TIMEOUT_MS } from "../fuzz.ts";
import { verifies } from "../requirements.ts";

const RUNS = FUZZ;

/** Characters that parsers treat specially, and some others. */
const tricky = fc.string({
  unit: fc.oneof(
    fc.constantFrom("/", ":", "@", ".", "..", "-", "_", "a", "B", "0", "\0", "\n", " ", "~", "%2e", "\\"),
    fc.string({ maxLength: 2 }),
  ),
  maxLength: 30,
});

/** Runs a parser: what it gives, or undefined when it refuses as it should. */
function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    expect(error).toBeInstanceOf(IpyboxError);
    return undefined;
  }
}

describe("whatever it is given,", { timeout: FUZZ_TIMEOUT_MS }, () => {
  test("a bind's target lies below /app", () => {
    verifies("CONT-05", "LIFE-05");
    fc.assert(
      fc.property(tricky, tricky, (source, target) => {
        const [mount] = attempt(() => parseBinds({ [source]: target })) ?? [];
        if (mount !== undefined) expect(mount.target).toMatch(/^\/app\/(?!\.\.(\/|$))[^]+$/);
        if (mount !== undefined) expect(mount.target.split("/")).not.toContain("..");
      }),
      RUNS,
    );
  });

  test("an image's name is read or refused, and a full one stays as it is", () => {
    verifies("CONT-03", "LIFE-05");
    fc.assert(
      fc.property(tricky, (text) => {
        const full = attempt(() => fullImageName(text));
        if (full !== undefined) expect(fullImageName(full)).toBe(full);
      }),
      RUNS,
    );
  });

  test("a long image's name takes no time", () => {
    const startedAt = performance.now();
    for (const unit of ["a", "a/", "a.", "a-", "a__", "a.-"]) attempt(() => fullImageName(`${unit.repeat(50_000)}!`));
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test("an address of a daemon is read or refused", () => {
    verifies("CONT-08", "LIFE-05");
    const address = fc.tuple(fc.constantFrom("", "tcp://", "unix://", "ssh://", "npipe://", "x://", "://"), tricky);
    fc.assert(
      fc.property(address, ([scheme, rest]) => {
        const endpoint = attempt(() => resolveEndpoint(scheme + rest, {}));
        if (endpoint !== undefined) expect(endpoint.url).toBe(scheme + rest);
      }),
      RUNS,
    );
  });

  test("options are read or refused", () => {
    verifies("LIFE-05");
    const names = fc.constantFrom("tag", "binds", "env", "port", "cpus", "user", "signal", "__proto__", "constructor", "x");
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.dictionary(names, fc.anything())), (options) => {
        attempt(() => parseContainerOptions(options));
      }),
      RUNS,
    );
  });

  test("an image has a size, at once", () => {
    verifies("LIFE-05", "EXEC-08");
    const magic = fc.constantFrom(
      ...["89504e470d0a1a0a0000000d49484452", "ffd8ffe0", "ffd8ffe1001045786966", "474946383961", "52494646ffffffff57454250"],
      ...["49492a00", "4d4d002a", "69636e73", "0000000c6a502020", "0000001866747970", "0000000c4a584c20", "ff0a", "71f5", ""],
    );
    fc.assert(
      fc.property(magic, fc.uint8Array({ maxLength: 300 }), (start, bytes) => {
        const startedAt = performance.now();
        const image = imageOf({ "image/png": new Uint8Array([...Buffer.from(start, "hex"), ...bytes]) });
        expect(image?.width).toBeGreaterThanOrEqual(0);
        expect(performance.now() - startedAt).toBeLessThan(1_000);
      }),
      RUNS,
    );
  });
});

describe("a daemon's progress", () => {
  const read = async (text: string): Promise<unknown[]> => {
    const meter = new PullMeter();
    const seen = [];
    for await (const event of readEvents(Readable.from([Buffer.from(text)]))) seen.push(meter.add(event));
    return seen;
  };

  test("sums the layers that are downloaded", async () => {
    const lines = [
      { status: "Pulling from box" },
      { id: "a", status: "Downloading", progressDetail: { current: 10, total: 100 } },
      { id: "b", status: "Downloading", progressDetail: { current: 5, total: 50 } },
      { id: "a", status: "Download complete" },
      { id: "a", status: "Extracting", progressDetail: { current: 1, total: 100 } },
    ];
    expect(await read(lines.map((line) => `${JSON.stringify(line)}\r\n`).join("\n"))).toEqual([
      { receivedBytes: 0, totalBytes: 0, status: "Pulling from box" },
      { receivedBytes: 10, totalBytes: 100, status: "Downloading" },
      { receivedBytes: 15, totalBytes: 150, status: "Downloading" },
      { receivedBytes: 105, totalBytes: 150, status: "Download complete" },
      { receivedBytes: 105, totalBytes: 150, status: "Extracting" },
    ]);
  });

  test("ends with the error that the daemon tells", async () => {
    await expect(read('{"status":"x"}\n{"error":"no space left"}\n{"status":"y"}\n')).rejects.toThrow("no space left");
  });

  test.each(["null\n", "<html>\n", '{"status":', '{"error":5}\n'])("that is %j is an error", async (text) => {
    verifies("LIFE-05");
    await expect(read(text)).rejects.toThrow(Error);
  });
});
