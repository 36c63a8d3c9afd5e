import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  listRuntimeFiles,
  readRuntimeEntry,
  removeRuntimeEntry,
  removeSessionFiles,
  runtimeDirectory,
  saveRuntimeEntry,
} from "../../src/runtime-dir.ts";
import { verifies } from "../requirements.ts";

const entry = { token: "t", containerId: "c", session: "s", dockerHost: "unix:///x" };
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ipybox-runtime-"));
  vi.stubEnv("XDG_RUNTIME_DIR", directory);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true, force: true });
});

test("what is saved for a host and port is found again, under all names of the loopback interface", async () => {
  await saveRuntimeEntry("127.0.0.1", 7777, entry);
  expect(readRuntimeEntry("localhost", 7777)).toEqual(entry);
  expect(readRuntimeEntry("127.0.0.1", 7778)).toBeUndefined();
  expect(readRuntimeEntry("example.org", 7777)).toBeUndefined();
});

test("nobody else can read it", async () => {
  verifies("SEC-09");
  await saveRuntimeEntry("127.0.0.1", 7777, entry);
  expect((await stat(join(directory, "ipybox"))).mode & 0o777).toBe(0o700);
  const [name = ""] = await readdir(join(directory, "ipybox"));
  expect((await stat(join(directory, "ipybox", name))).mode & 0o777).toBe(0o600);
});

test("an entry is only removed for its own container", async () => {
  await saveRuntimeEntry("127.0.0.1", 7777, entry);
  await removeRuntimeEntry("127.0.0.1", 7777, "other");
  expect(readRuntimeEntry("127.0.0.1", 7777)).toEqual(entry);
  await removeRuntimeEntry("127.0.0.1", 7777, "c");
  await removeRuntimeEntry("127.0.0.1", 7777, "c");
  expect(await readdir(join(directory, "ipybox"))).toEqual([]);
});

test("looking for an entry makes no directory, and is no error where none can be made", async () => {
  verifies("LIFE-02");
  const missing = join(directory, "file", "below");
  await writeFile(join(directory, "file"), "");
  for (const place of [join(directory, "gone"), missing]) {
    vi.stubEnv("XDG_RUNTIME_DIR", place);
    expect(readRuntimeEntry("127.0.0.1", 7777)).toBeUndefined();
    expect(await listRuntimeFiles()).toEqual([]);
    await removeRuntimeEntry("127.0.0.1", 7777, "c");
    await removeSessionFiles("s");
  }
  expect(await readdir(directory)).toEqual(["file"]);
  await expect(saveRuntimeEntry("127.0.0.1", 7777, entry)).rejects.toThrow(
    /below.ipybox can't hold tokens: it can't be made \(.*XDG_RUNTIME_DIR/,
  );
});

test("a directory that others can enter, or a link, is refused", async () => {
  verifies("SEC-09");
  const path = runtimeDirectory();
  await chmod(path, 0o755);
  await expect(saveRuntimeEntry("127.0.0.1", 1, entry)).rejects.toThrow(/can't hold tokens.*0700/);
  await writeFile(join(path, "127.0.0.1.1.json"), JSON.stringify(entry));
  expect(readRuntimeEntry("127.0.0.1", 1)).toBeUndefined();
  expect(await listRuntimeFiles()).toEqual([]);
  await rm(path, { recursive: true });
  await symlink(tmpdir(), path);
  expect(() => runtimeDirectory()).toThrow(expect.objectContaining({ code: "invalid_state" }));
});

test("an entry that can't be written is an error that says where it was to be", async () => {
  await mkdir(join(runtimeDirectory(), "127.0.0.1.1.json", "full"), { recursive: true });
  const error = await saveRuntimeEntry("127.0.0.1", 1, entry).catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    code: "invalid_state",
    message: expect.stringContaining(`${directory}/ipybox can't hold tokens`),
  });
});

test("a broken entry counts as none", async () => {
  await saveRuntimeEntry("127.0.0.1", 7777, entry);
  const [name = ""] = await readdir(join(directory, "ipybox"));
  await writeFile(join(directory, "ipybox", name), '{"token":');
  expect(readRuntimeEntry("127.0.0.1", 7777)).toBeUndefined();
});

test("what a start has left is found and removed, also what it had only begun to write", async () => {
  verifies("LIFE-01");
  const [session, other] = ["a1b2", "c3d4"].map((start) => `${start}0000-0000-4000-8000-000000000000`) as [string, string];
  await saveRuntimeEntry("127.0.0.1", 7777, { ...entry, session });
  await saveRuntimeEntry("127.0.0.1", 7778, { ...entry, session: other });
  await writeFile(join(directory, "ipybox", `127.0.0.1.7779.json.${session}`), '{"tok');
  await writeFile(join(directory, "ipybox", "of-somebody-else"), "");
  const found = (await listRuntimeFiles()).map(({ session, isFresh }) => `${session} ${isFresh}`);
  expect(found.sort()).toEqual([`${session} false`, `${session} true`, `${other} false`]);
  await removeSessionFiles(session);
  expect((await readdir(join(directory, "ipybox"))).sort()).toEqual(["127.0.0.1.7778.json", "of-somebody-else"]);
});
