import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { History, HISTORY_LINES, historyPath } from "../../src/cli/repl/history.ts";
import { verifies } from "../requirements.ts";

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ipybox-history-"));
  path = join(directory, "ipybox/history");
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

test("lines of one session are offered in the next, newest first", async () => {
  verifies("CLI-01");
  const first = await History.open(path);
  for (const line of ["a = 1", "", "   ", "print(a)"]) first.add(line);
  await first.saved;
  expect((await History.open(path)).newestFirst).toEqual(["print(a)", "a = 1"]);
});

test("the file is the user's own", async () => {
  verifies("CLI-01");
  const history = await History.open(path);
  history.add("secret");
  await history.saved;
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(join(directory, "ipybox"))).mode & 0o777).toBe(0o700);
});

test("a long file is made short again", async () => {
  verifies("CLI-01");
  await History.open(path);
  const lines = Array.from({ length: 2 * HISTORY_LINES + 1 }, (_, index) => `line ${index}`);
  await writeFile(path, `${lines.join("\n")}\n`);
  const history = await History.open(path);
  expect(history.newestFirst).toEqual(lines.slice(-HISTORY_LINES).reverse());
  expect(await readFile(path, "utf8")).toBe(`${lines.slice(-HISTORY_LINES).join("\n")}\n`);
});

test("a file that can't be used does not stop the session", async () => {
  verifies("CLI-01");
  await writeFile(join(directory, "file"), "");
  const history = await History.open(join(directory, "file/history"));
  expect(history.newestFirst).toEqual([]);
  history.add("a = 1");
  await expect(history.saved).resolves.toBeUndefined();
});

test("it is where the user keeps the state of programs", () => {
  verifies("CLI-01");
  expect(historyPath({ XDG_STATE_HOME: "/state" })).toBe("/state/ipybox/history");
  expect(historyPath({})).toBe(join(homedir(), ".local/state/ipybox/history"));
});
