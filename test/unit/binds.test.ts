import { chmod, chown, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseBinds, prepareBinds } from "../../src/binds.ts";
import { callerUser } from "../../src/caller.ts";
import { runtimeDirectory } from "../../src/runtime-dir.ts";
import { verifies } from "../requirements.ts";

const isRoot = process.getuid?.() === 0;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ipybox-binds-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

test("relative host paths start at the current directory, targets below /app", () => {
  verifies("CONT-05");
  expect(parseBinds({ "./data": "data", "/srv/x": "/app/a/b:ro", out: "out:rw" })).toEqual([
    { source: join(process.cwd(), "data"), target: "/app/data", readOnly: false },
    { source: "/srv/x", target: "/app/a/b", readOnly: true },
    { source: join(process.cwd(), "out"), target: "/app/out", readOnly: false },
  ]);
});

test("a missing directory is created for the user of cells, with its missing parents", async () => {
  verifies("CONT-05");
  const user = callerUser();
  const source = join(directory, "a/b");
  await prepareBinds(parseBinds({ [source]: "data" }), user);
  for (const path of [source, join(directory, "a")]) {
    const stats = await stat(path);
    expect([stats.uid, stats.gid]).toEqual([user.uid, user.gid]);
  }
  const outside = await stat(directory);
  expect(outside.uid).toBe(process.getuid?.());
});

describe.runIf(isRoot)("an existing directory, when the caller is root", () => {
  const user = { uid: 1000, gid: 1000 };

  test("that cells can't write to is an error with directory, uid and ways out", async () => {
    verifies("CONT-05");
    await chmod(directory, 0o755);
    const failure = prepareBinds(parseBinds({ [directory]: "data" }), user);
    await expect(failure).rejects.toMatchObject({ code: "bind_failed", details: { source: directory, uid: 1000 } });
    await expect(failure).rejects.toThrow(new RegExp(`${directory}.*uid 1000.*chown 1000:1000.*":ro".*\`user\` option`));
  });

  test("that cells can read is enough for a read-only bind", async () => {
    verifies("CONT-05");
    await chmod(directory, 0o755);
    await prepareBinds(parseBinds({ [directory]: "data:ro" }), user);
    await chmod(directory, 0o700);
    await expect(prepareBinds(parseBinds({ [directory]: "data:ro" }), user)).rejects.toThrow(/can't read there/);
  });

  test("is accepted when uid, group or everybody may write", async () => {
    verifies("CONT-05");
    const cases = [
      { owner: [1000, 0], mode: 0o700 },
      { owner: [0, 1000], mode: 0o770 },
      { owner: [0, 0], mode: 0o777 },
    ] as const;
    for (const [index, { owner, mode }] of cases.entries()) {
      const path = join(directory, String(index));
      await mkdir(path);
      await chmod(path, mode);
      await chown(path, owner[0], owner[1]);
      await prepareBinds(parseBinds({ [path]: "data" }), user);
    }
  });

  test("owned by another user suggests running cells as that one", async () => {
    await chown(directory, 1234, 1234);
    await expect(prepareBinds(parseBinds({ [directory]: "data" }), user)).rejects.toThrow(/user: \{ uid: 1234, gid: 1234 \}/);
  });

  test("may also be a single file", async () => {
    const file = join(directory, "file");
    await writeFile(file, "x");
    await chown(file, 1000, 1000);
    await prepareBinds(parseBinds({ [file]: "file" }), user);
  });
});

test("the directory that has the tokens of containers is not shown to cells, nor what is around it", async () => {
  verifies("SEC-04", "CONT-05");
  const before = process.env["XDG_RUNTIME_DIR"];
  process.env["XDG_RUNTIME_DIR"] = join(directory, "runtime");
  try {
    await mkdir(join(directory, "beside"));
    const tokens = runtimeDirectory();
    for (const source of [directory, join(directory, "runtime"), tokens, join(tokens, "x")]) {
      const refused = prepareBinds(parseBinds({ [source]: "data:ro" }), callerUser());
      await expect(refused).rejects.toMatchObject({ code: "invalid_option" });
      await expect(refused).rejects.toThrow(`${tokens}, which has the tokens of containers`);
    }
    await prepareBinds(parseBinds({ [join(directory, "beside")]: "data:ro" }), callerUser());
  } finally {
    if (before === undefined) delete process.env["XDG_RUNTIME_DIR"];
    else process.env["XDG_RUNTIME_DIR"] = before;
  }
});
