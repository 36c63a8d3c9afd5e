import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addBind } from "../../src/cli/binds.ts";
import { readEnvironment } from "../../src/cli/environment.ts";
import { readCpus, readMemory, readPort, readTimeout } from "../../src/cli/numbers.ts";
import { UsageError } from "../../src/cli/usage-error.ts";
import { verifies } from "../requirements.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ipybox-values-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe("a number", () => {
  test("of bytes has Docker's units", () => {
    verifies("CLI-01");
    expect(["67108864", "67108864b", "65536k", "64m", "0.5g", "2G"].map(readMemory)).toEqual([
      ...[2 ** 26, 2 ** 26, 2 ** 26, 2 ** 26, 2 ** 29, 2 ** 31],
    ]);
  });

  test("of seconds is one of milliseconds, and none for 0", () => {
    verifies("CLI-01");
    expect(["0", "0.0", "0.0001", "1.5", "120"].map(readTimeout)).toEqual([null, null, 1, 1500, 120_000]);
  });

  test.each([
    { read: readMemory, texts: ["", "m", "63m", "-1g", "1e9", "2gb", " 2g", "NaN"] },
    { read: readCpus, texts: ["", "0", "0.001", "-1", "two", "1,5", "Infinity"] },
    { read: readPort, texts: ["", "0", "65536", "80.5", "0x50"] },
    { read: readTimeout, texts: ["", "-1", "1s", "Infinity"] },
  ])("that $read.name does not take is named", ({ read, texts }) => {
    verifies("CLI-01");
    for (const text of texts) {
      expect(() => read(text)).toThrow(UsageError);
      expect(() => read(text)).toThrow(`Given was ${JSON.stringify(text)}.`);
    }
  });
});

describe("--bind", () => {
  test("takes host and container path apart, on Windows too", () => {
    verifies("CLI-01", "CONT-05");
    const texts = ["data:in", "./out:/app/out:rw", "C:\\my data:win:ro", "d:/x:y"];
    expect(texts.reduce<Readonly<Record<string, string>> | undefined>((binds, text) => addBind(text, binds), undefined)).toEqual({
      data: "in",
      "./out": "/app/out:rw",
      "C:\\my data": "win:ro",
      "d:/x": "y",
    });
  });

  test.each(["data", "data:", ":in", "a:b:c", "a:b:rx", "a:/etc", "a:.", "a:../b", ""])("refuses %j", (text) => {
    verifies("CLI-01");
    expect(() => addBind(text)).toThrow(UsageError);
    expect(() => addBind(text)).toThrow(`Given was ${JSON.stringify(text)}.`);
  });
});

describe("--env and --env-file", () => {
  test("are read as Docker reads them, flags over files, later over earlier", async () => {
    verifies("CLI-01", "CONT-06");
    const first = join(directory, "first");
    const second = join(directory, "second");
    await writeFile(first, '\uFEFFA=1\r\n# B=no\n  B="x # y" \n\nMINE\nABSENT\nE=\n__proto__=p\n');
    await writeFile(second, "A=2\n");
    const variables = await readEnvironment(["B2=a=b", "OWN", "GONE", "E2="], [first, second], { MINE: "m", OWN: "o" });
    expect(Object.entries(variables)).toEqual([
      ["A", "2"],
      ["B", '"x # y" '],
      ["MINE", "m"],
      ["E", ""],
      ["__proto__", "p"],
      ["B2", "a=b"],
      ["OWN", "o"],
      ["E2", ""],
    ]);
  });

  test("name a file that can't be read, or is no text", async () => {
    verifies("CLI-01");
    const missing = join(directory, "missing");
    await expect(readEnvironment([], [missing])).rejects.toThrow(UsageError);
    await expect(readEnvironment([], [missing])).rejects.toThrow(`Given was ${JSON.stringify(missing)}: ENOENT`);
    const binary = join(directory, "binary");
    await writeFile(binary, Buffer.from([0x41, 0x3d, 0xff]));
    await expect(readEnvironment([], [binary])).rejects.toThrow("must be in UTF-8");
  });
});
