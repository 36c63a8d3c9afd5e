import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AllowedDirectories } from "../../src/mcp-server/allowed-directories.ts";
import { verifies } from "../requirements.ts";

let base: string;
let inside: string;
let outside: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "ipybox-allowed-"));
  inside = join(base, "inside");
  outside = join(base, "inside-not");
  for (const directory of [inside, outside]) await mkdir(directory);
  await writeFile(join(inside, "mine"), "mine");
  await mkdir(join(inside, "sub"));
  await writeFile(join(outside, "secret"), "secret");
});
afterEach(async () => {
  await rm(base, { recursive: true, force: true });
});

const read = (allowed: AllowedDirectories, path: string): Promise<string> =>
  allowed.reading(path, (safePath) => readFile(safePath, "utf8"));
const write = (allowed: AllowedDirectories, path: string): Promise<void> =>
  allowed.writing(path, (safePath) => writeFile(safePath, "written"));

describe("directories that are allowed", () => {
  it("are read and written, also when they are named by a link", async () => {
    verifies("MCP-04");
    const link = join(base, "link");
    await symlink(inside, link);
    for (const directory of [inside, link]) {
      const allowed = await AllowedDirectories.open([directory]);
      expect(await read(allowed, join(directory, "mine"))).toBe("mine");
      expect(await read(allowed, join(directory, "sub/../mine"))).toBe("mine");
      await write(allowed, join(directory, "sub/new"));
      expect(await readFile(join(inside, "sub/new"), "utf8")).toBe("written");
    }
  });

  it("are all there is: nothing beside them, above them, or that is only named alike", async () => {
    verifies("MCP-04");
    const allowed = await AllowedDirectories.open([inside]);
    const paths = [
      join(outside, "secret"),
      `${inside}/../inside-not/secret`,
      `${inside}-not/secret`,
      "/etc/passwd",
      "mine",
      "./mine",
      "~/mine",
      "",
      `${inside}/\0`,
      `file://${inside}/mine`,
      base,
    ];
    for (const path of paths) {
      await expect(read(allowed, path)).rejects.toThrow(/is outside of the allowed directories|can't be used/);
      await expect(write(allowed, `${path}-new`)).rejects.toThrow(/is outside of the allowed directories|can't be used/);
    }
  });

  it("are not left over a link, to a file or to a directory, also one that leads nowhere", async () => {
    verifies("MCP-04");
    await symlink(join(outside, "secret"), join(inside, "to-file"));
    await symlink(outside, join(inside, "to-directory"));
    await symlink(join(outside, "none"), join(inside, "to-none"));
    await symlink(join(inside, "mine"), join(inside, "to-mine"));
    const allowed = await AllowedDirectories.open([inside]);
    await expect(read(allowed, join(inside, "to-file"))).rejects.toThrow(/is outside/);
    await expect(read(allowed, join(inside, "to-directory/secret"))).rejects.toThrow(/is outside/);
    await expect(write(allowed, join(inside, "to-directory/new"))).rejects.toThrow(/is outside/);
    await expect(read(allowed, join(inside, "to-none"))).rejects.toThrow(/ENOENT/);
    expect(await read(allowed, join(inside, "to-mine"))).toBe("mine");
  });

  it("tell what can't be done, without the path that is used underneath", async () => {
    verifies("MCP-04");
    const allowed = await AllowedDirectories.open([inside]);
    await expect(read(allowed, join(inside, "none"))).rejects.toThrow(
      `${JSON.stringify(join(inside, "none"))} can't be used: ENOENT.`,
    );
    await expect(write(allowed, join(inside, "none/new"))).rejects.toThrow(/ENOENT/);
    await expect(write(allowed, join(inside, "sub"))).rejects.toThrow(
      `EISDIR: illegal operation on a directory, open '${join(inside, "sub")}'`,
    );
    await expect(write(allowed, `${inside}/..`)).rejects.toThrow(/is outside/);
    execFileSync("mkfifo", [join(inside, "pipe")]);
    // Opening it does not wait for a writer.
    expect(await allowed.reading(join(inside, "pipe"), (safePath) => Promise.resolve(safePath))).toMatch(
      /^\/proc\/self\/fd\/\d+$/,
    );
  });

  it("are not left when links change between check and use", async () => {
    verifies("MCP-04");
    const allowed = await AllowedDirectories.open([inside]);
    const place = join(inside, "place");
    const spare = join(base, "spare");
    const racing = new AbortController();
    const race = (async () => {
      for (let turn = 0; !racing.signal.aborted; turn += 1) {
        await mkdir(place);
        await writeFile(join(place, "secret"), "mine");
        await rename(place, `${spare}-${turn}`);
        await symlink(outside, place);
        await new Promise((resolve) => setImmediate(resolve));
        await unlink(place);
      }
    })();
    const seen = new Set<string>();
    for (let turn = 0; turn < 1_000; turn += 1) {
      seen.add(await read(allowed, join(place, "secret")).catch(() => "refused"));
      await write(allowed, join(place, "new")).catch(() => undefined);
    }
    racing.abort();
    await race;
    expect(seen).not.toContain("secret");
    expect(seen).toContain("refused");
    await expect(readFile(join(outside, "new"))).rejects.toThrow(/ENOENT/);
  });

  it("must be directories", async () => {
    verifies("MCP-04");
    for (const path of [join(inside, "mine"), join(inside, "none")]) {
      await expect(AllowedDirectories.open([path])).rejects.toThrow(`--allowed-dir must be a directory. Given was "${path}".`);
    }
    const none = await AllowedDirectories.open([]);
    expect(none.isEmpty).toBe(true);
    await expect(read(none, join(inside, "mine"))).rejects.toThrow(/No directory is allowed/);
  });
});
