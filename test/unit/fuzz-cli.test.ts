import { existsSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Command, CommanderError } from "commander";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { addBind } from "../../src/cli/binds.ts";
import { readEnvironment } from "../../src/cli/environment.ts";
import { readCpus, readMemory, readPort, readTimeout } from "../../src/cli/numbers.ts";
import { program } from "../../src/cli/program.ts";
import { UsageError } from "../../src/cli/usage-error.ts";
import { readRuntimeEntry, runtimeDirectory } from "../../src/runtime-dir.ts";
import { FUZZ, FUZZ_TIMEOUT_MS, spoiledText } from "../fuzz.ts";
import { verifies } from "../requirements.ts";

let directory: string;

beforeAll(async () => {
  // In memory where that is possible: ext4 writes a file that is replaced to the disk at once.
  directory = await mkdtemp(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "ipybox-fuzz-"));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true, force: true });
});

const word = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.constantFrom(
    "",
    "-",
    "--",
    "1",
    "64m",
    "0.5",
    "a:b",
    "a:/app/b:ro",
    "C:\\x:y",
    "A=b",
    "=",
    "1e309",
    "-1",
    "\0",
    "0x10",
    "٣",
  ),
);

/** The command line, whose verbs do nothing; `flags` is what it knows. */
function harmless(): { readonly main: Command; readonly words: readonly string[] } {
  const main = program();
  const words: string[] = [];
  for (const command of [main, ...main.commands]) {
    command.configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
    if (command !== main) command.action(() => undefined);
    words.push(
      command.name(),
      ...command.options.flatMap(({ short, long }) => [short, long].filter((flag) => typeof flag === "string")),
    );
  }
  return { main, words };
}

test("arguments are understood, or refused as wrong usage", { timeout: FUZZ_TIMEOUT_MS }, async () => {
  verifies("LIFE-05", "CLI-01");
  const { words } = harmless();
  const verb = fc.constantFrom("run", "repl", "build", "ls", "cleanup", "help", "x");
  const argument = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...words) }, { weight: 3, arbitrary: word });
  await fc.assert(
    fc.asyncProperty(verb, fc.array(argument, { maxLength: 8 }), async (name, args) => {
      try {
        await harmless().main.parseAsync([name, ...args], { from: "user" });
      } catch (error) {
        expect(error instanceof CommanderError || error instanceof UsageError).toBe(true);
      }
    }),
    FUZZ,
  );
});

describe("a value of the command line is read, or refused as wrong usage:", { timeout: FUZZ_TIMEOUT_MS }, () => {
  const READERS: readonly { name: string; read: (text: string) => unknown; sound: (value: never) => boolean }[] = [
    { name: "--memory", read: readMemory, sound: (value: number) => Number.isSafeInteger(value) || value > 2 ** 53 },
    { name: "--cpus", read: readCpus, sound: (value: number) => value >= 0.01 },
    { name: "--port", read: readPort, sound: (value: number) => Number.isInteger(value) && value > 0 && value < 65_536 },
    { name: "--timeout", read: readTimeout, sound: (value: number | null) => value === null || value >= 1 },
    { name: "--bind", read: (text) => addBind(text), sound: (value: object) => Object.keys(value).length === 1 },
  ];

  test.each(READERS)("$name", ({ read, sound }) => {
    verifies("LIFE-05", "CLI-01");
    fc.assert(
      fc.property(
        fc.oneof(
          word,
          fc.tuple(word, word).map((parts) => parts.join(":")),
          fc.tuple(fc.double(), word).map((parts) => parts.join("")),
        ),
        (text) => {
          try {
            expect(sound(read(text) as never)).toBe(true);
          } catch (error) {
            expect(error).toBeInstanceOf(UsageError);
          }
        },
      ),
      FUZZ,
    );
  });

  test("--env and --env-file", async () => {
    verifies("LIFE-05", "CLI-01");
    const file = join(directory, "vars");
    const line = fc.oneof(word, fc.constantFrom("# x", "A=1\r", "\uFEFFB=2", "  C = d", "export D=1"));
    await fc.assert(
      fc.asyncProperty(
        fc.array(word, { maxLength: 3 }),
        fc.oneof(
          fc.array(line).map((lines) => Buffer.from(lines.join("\n"))),
          fc.uint8Array(),
        ),
        async (flags, content) => {
          writeFileSync(file, content);
          try {
            const variables = await readEnvironment(flags, [file], { A: "own" });
            for (const [name, value] of Object.entries(variables))
              expect([name.includes("="), name === "", typeof value]).toEqual([false, false, "string"]);
          } catch (error) {
            expect(error).toBeInstanceOf(UsageError);
          }
        },
      ),
      FUZZ,
    );
  });
});

test("what is written down about a container is read, or counts as nothing", { timeout: FUZZ_TIMEOUT_MS }, () => {
  verifies("LIFE-05");
  vi.stubEnv("XDG_RUNTIME_DIR", directory);
  runtimeDirectory();
  const good = { token: "t", containerId: "c", session: "s", dockerHost: "unix:///x", direct: { host: "h", port: 1 } };
  fc.assert(
    fc.property(spoiledText(good), (text) => {
      writeFileSync(join(directory, "ipybox", "127.0.0.1.1.json"), text);
      const entry = readRuntimeEntry("127.0.0.1", 1);
      if (entry !== undefined)
        expect([typeof entry.token, typeof entry.containerId, typeof entry.session]).toEqual(["string", "string", "string"]);
    }),
    FUZZ,
  );
});
